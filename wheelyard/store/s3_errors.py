"""What S3 and botocore say when something fails, in our words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from s3transfer.exceptions import RetriesExceededError

from wheelyard.errors import DiskFull, StoreUnavailable
from wheelyard.outages import OUTAGES

_FULL = {
    "InsufficientCapacity",
    "InsufficientStorage",
    "InsufficientStorageSpace",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "XMinioStorageFull",
    "507",
}
_REFUSED = {
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "401",
    "403",
}
_WRITES = {"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}
# SeaweedFS stops to write at 1 % free, and where there is no room for another volume (1 GiB).
_LITTLE_SHARE = 0.02
_LITTLE_BYTES = 2 << 30
_FULL_TEXTS = ("no space left", "no writable volumes", "no free volumes", "not enough space", "disk full")


def code_of(error: ClientError) -> str:
    """S3's error code, or the HTTP status as text where the answer had no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def s3_errors(what: str, bucket: str, endpoint: str, disk: Path | None = None) -> Iterator[None]:
    """Turn what boto3 raises into errors of ours.

    :param what: what could not be done, one plain sentence.
    :param endpoint: the server's address; empty means AWS.
    :param disk: a folder on the disk of a server on this machine: some answer 500 where their disk is full.
    :raises DiskFull: the server has no room.
    :raises StoreUnavailable: everything else.
    """
    try:
        with _translated(what, bucket, endpoint, disk):
            yield
    except (DiskFull, StoreUnavailable) as error:
        OUTAGES.noted("store", error)
        raise


@contextmanager
def _translated(what: str, bucket: str, endpoint: str, disk: Path | None) -> Iterator[None]:
    server = endpoint or "AWS S3"
    try:
        yield
    except ClientError as error:
        raise _translate(what, bucket, server, disk, error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreUnavailable(
            what,
            found=str(error),
            do="set WHEELYARD_S3_ACCESS_KEY and WHEELYARD_S3_SECRET_KEY, or boto3's own credentials",
        ) from error
    except (EndpointConnectionError, ConnectTimeoutError, ConnectionError, HTTPClientError) as error:
        raise StoreUnavailable(
            what,
            expected=f"an answer from {server}",
            found=str(error),
            do="see that the S3 server runs and that WHEELYARD_S3_ENDPOINT is its address; then try again",
        ) from error
    except (BotoCoreError, RetriesExceededError) as error:
        raise StoreUnavailable(what, found=f"{server}: {error}", do="try again") from error


def _translate(
    what: str, bucket: str, server: str, disk: Path | None, error: ClientError
) -> StoreUnavailable | DiskFull:
    code = code_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(error.response.get("Error", {}).get("Message", ""))
    found = f"{server} says {status} {code}: {message}".rstrip(": ")
    if code in _FULL or status == 507 or any(text in message.lower() for text in _FULL_TEXTS):
        return DiskFull(what, found=found, do="free or add space on the S3 server, then try again")
    if code == "NoSuchBucket" or (code == "404" and error.operation_name == "HeadBucket"):
        return StoreUnavailable(
            what,
            expected=f"a bucket named {bucket}",
            found=found,
            do="make the bucket, or mend WHEELYARD_STORE_URL",
        )
    if code in _REFUSED or status in {401, 403}:
        return StoreUnavailable(
            what,
            found=found,
            do="mend WHEELYARD_S3_ACCESS_KEY and WHEELYARD_S3_SECRET_KEY, or what that key may do",
        )
    if code == "NotImplemented" or status == 501:
        return StoreUnavailable(
            what, found=found, do="use a server that knows conditional writes: AWS S3, or a current SeaweedFS"
        )
    if status >= 500 and error.operation_name in _WRITES:
        if disk is not None and (room := _little_room(disk)):
            return DiskFull(what, found=f"{room}; {found}", do="free some space, then try again")
        return StoreUnavailable(
            what, found=found, do="see whether the S3 server's disk is full; its own log says more"
        )
    return StoreUnavailable(what, found=found, do="try again; the server's own log says more")


def _little_room(disk: Path) -> str:
    """What is said of a disk that a server may refuse to write to; empty where it has room."""
    try:
        usage = shutil.disk_usage(disk)
    except OSError:
        return ""
    if usage.free > max(usage.total * _LITTLE_SHARE, _LITTLE_BYTES):
        return ""
    return f"{usage.free >> 20} MiB of {usage.total >> 20} are free on the disk of {disk}"
