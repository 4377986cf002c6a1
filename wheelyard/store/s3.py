"""A store in a bucket of AWS S3, SeaweedFS or any other S3. Only this module imports boto3."""

from __future__ import annotations

import io
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import quote

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader
from botocore.session import get_session

from wheelyard.digests import CHUNK, Digest
from wheelyard.errors import (
    InfrastructureError,
    InputError,
    StoredOtherBytes,
    StoreUnavailable,
    WheelyardError,
)
from wheelyard.store.contract import RENEW_SECONDS, Promise, StoredBlob
from wheelyard.store.landing import disk_errors, land
from wheelyard.store.layout import (
    BLOBS,
    blob_name,
    document_name,
    document_prefix,
    other_bytes,
    refuse_damage,
    refuse_other_digest,
)
from wheelyard.store.loopback import is_loopback
from wheelyard.store.s3_body import S3Body
from wheelyard.store.s3_errors import code_of, s3_errors
from wheelyard.store.s3_probe import S3Bucket, probe, renew
from wheelyard.store.s3_sweep import Sweep

MULTIPART_BYTES = 64 << 20
"""Files above this many bytes go up in parts."""

_LOOK_FIRST_BYTES = 1 << 20
_CONFLICTS = 8
_RACERS = 8
_PLAIN_FILENAME = re.compile(r"[A-Za-z0-9._+!-]+")


class S3Store:
    """Bytes in a bucket, below a prefix. Safe for threads, and for processes that fork.

    :param bucket: its name; it must exist.
    :param prefix: folder inside the bucket, without slashes at its ends; empty means the bucket's root.
    :param endpoint: address of the server; empty means AWS. With one, the bucket stands in the path.
    :param access_key: empty means boto3's own chain of credentials.
    :param profile: a named one of that chain's files; empty means its default.
    :param path_style: whether the bucket stands in the `path` or in the host's name (`virtual`); `auto` means
        the path where an endpoint is given.
    :param sse: `AES256` or `aws:kms`: what objects are encrypted with; empty leaves it to the bucket.
    :param sse_kms_key: key id for `aws:kms`; empty means the account's own.
    :param disk: a folder on the disk of a server on this machine, so that a full one can be told.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str = "",
        region: str = "us-east-1",
        access_key: str = "",
        secret_key: str = "",
        profile: str = "",
        path_style: str = "auto",
        sse: str = "",
        sse_kms_key: str = "",
        disk: Path | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = endpoint
        self._region = region
        self._keys = (access_key or None, secret_key or None)
        self._profile = profile
        self._style = ("path" if endpoint else "auto") if path_style == "auto" else path_style
        self._extra = {"ServerSideEncryption": sse} if sse else {}
        if sse == "aws:kms" and sse_kms_key:
            self._extra["SSEKMSKeyId"] = sse_kms_key
        self._disk = disk
        self._lock = threading.Lock()
        self._made: tuple[int, Any] | None = None

    def __repr__(self) -> str:
        return f"S3Store({f's3://{self._bucket}/{self._prefix}'!r})"

    def put_blob(self, source: Path | bytes, digest: Digest) -> None:
        """Keep bytes under their digest; see the contract."""
        what = f"{digest} could not be stored"
        if isinstance(source, bytes):
            refuse_other_digest(digest, Digest.of(source))
            self._put_blob(what, io.BytesIO(source), len(source), digest)
            return
        with disk_errors(f"{source} could not be read", InfrastructureError), source.open("rb") as stream:
            refuse_other_digest(digest, Digest.of_file(source))
            self._put_blob(what, stream, os.fstat(stream.fileno()).st_size, digest)

    def open_blob(self, digest: Digest, offset: int = 0, length: int | None = None) -> BinaryIO | None:
        """A stream of a blob's bytes, or `None`; see the contract."""
        if length == 0:
            return None if self.blob_size(digest) is None else io.BytesIO()
        asked: dict[str, Any] = {}
        if offset or length is not None:
            asked["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"
        what = f"{digest} could not be read"
        with self._errors(what):
            try:
                answer = self._client.get_object(**self._at(blob_name(digest)), **asked)
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                if code_of(error) == "InvalidRange":
                    return io.BytesIO()
                raise
        return io.BufferedReader(S3Body(answer["Body"], lambda: self._errors(what)), CHUNK)

    def blob_size(self, digest: Digest) -> int | None:
        """Size in bytes, or `None`."""
        found = self._head(digest)
        return None if found is None else found.size

    def _head(self, digest: Digest) -> StoredBlob | None:
        with self._errors(f"{digest} could not be looked up"):
            try:
                answer = self._client.head_object(**self._at(blob_name(digest)))
            except ClientError as error:
                if code_of(error) not in {"404", "NoSuchKey"}:
                    raise
                # A HEAD has no body, so a bucket that is not there would read as a miss.
                self._client.head_bucket(Bucket=self._bucket)
                return None
        return StoredBlob(digest, answer["ContentLength"], answer["LastModified"].timestamp())

    def fetch_blob(self, digest: Digest, target: Path) -> bool:
        """Copy a blob into a file, verified; see the contract."""
        stream = self.open_blob(digest)
        if stream is None:
            return False
        with stream:
            land(stream, target, lambda found: refuse_damage(digest, found))
        return True

    def put_document(self, name: str, body: bytes) -> None:
        """Write a document once; see the contract."""
        self._put_document(document_name(name), body)

    def get_document(self, name: str) -> bytes | None:
        """A document's bytes, or `None`."""
        with self._errors(f"{name} could not be read"):
            try:
                answer = self._client.get_object(**self._at(document_name(name)))
                body: bytes = answer["Body"].read()
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
        return body

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of the documents below a prefix, sorted by us: servers differ in their order."""
        below = self._prefix + document_prefix(prefix)
        with self._errors(f"the documents below {prefix!r} could not be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below)
            names = [
                entry["Key"].removeprefix(self._prefix)
                for page in pages
                for entry in page.get("Contents", ())
                if not entry["Key"].startswith(self._prefix + BLOBS) and not entry["Key"].endswith("/")
            ]
        return iter(sorted(names))

    def presigned_url(self, digest: Digest, filename: str, seconds: int) -> str | None:
        """An address that gives the blob to anyone for some time, under a file name (RFC 6266)."""
        named = (
            f'filename="{filename}"'
            if _PLAIN_FILENAME.fullmatch(filename)
            else f"filename*=UTF-8''{quote(filename)}"
        )
        with self._errors("an address could not be signed"):
            url: str = self._client.generate_presigned_url(
                "get_object",
                Params={
                    **self._at(blob_name(digest)),
                    "ResponseContentDisposition": f"attachment; {named}",
                    "ResponseContentType": "application/octet-stream",
                    "ResponseCacheControl": "private, max-age=31536000, immutable",
                },
                ExpiresIn=seconds,
            )
        return url

    def renew_blob(self, digest: Digest) -> int | None:
        """Size of a blob that is about to be needed, or `None`; see the contract."""
        found = self._head(digest)
        if found is None or time.time() - found.modified_at < RENEW_SECONDS:
            return None if found is None else found.size
        with self._errors(f"{digest} could not be renewed"):
            try:
                renew(self._client, self._at(blob_name(digest)), self._extra)
            except ClientError as error:
                if code_of(error) not in {"404", "NoSuchKey"}:
                    raise
                return None
        # Whoever removes it may have looked at its age before that; then it is gone once he is through.
        self._sweep(digest).wait()
        return self.blob_size(digest)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob, page by page; see the contract."""
        below = self._prefix + BLOBS
        with self._errors("the blobs could not be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below)
            for page in pages:
                for entry in page.get("Contents", ()):
                    with suppress(InputError):
                        digest = Digest(entry["Key"].rpartition("/")[2])
                        yield StoredBlob(digest, entry["Size"], entry["LastModified"].timestamp())

    def delete_blob(self, digest: Digest, unless_since: float | None = None) -> bool:
        """Remove a blob unless it is young; see the contract."""
        what = f"{digest} could not be removed"
        if unless_since is None:
            self._delete(what, blob_name(digest))
            return True
        with self._sweep(digest) as mine:
            found = self._head(digest)
            if found is None or not mine.held or found.modified_at >= unless_since:
                return found is None
            self._delete(what, blob_name(digest))
        return True

    def delete_document(self, name: str) -> None:
        """Remove a document; see the contract."""
        self._delete(f"{name} could not be removed", document_name(name))

    def _delete(self, what: str, name: str) -> None:
        with self._errors(what):
            self._client.delete_object(**self._at(name))

    def _sweep(self, digest: Digest) -> Sweep:
        return Sweep(
            f"sweeps/{digest.hex}", write=self._write_new, read=self.get_document, remove=self.delete_document
        )

    def _write_new(self, name: str, body: bytes) -> bool:
        return self._put_new(f"{name} could not be stored", name, io.BytesIO(body), Digest.of(body))

    def check(self) -> tuple[Promise, ...]:
        """Try each promise on objects that go again; see the contract."""
        self._check_conditions()
        bucket = S3Bucket(self._client, self._at, self._errors, self._extra)
        return (Promise(name="conditional writes"), *probe(bucket))

    def _check_conditions(self) -> None:
        """Race for a small document: without this promise nothing here is safe."""
        name = f"probes/{secrets.token_hex(16)}"
        bodies = [f"{number} {name}".encode() for number in range(_RACERS)]
        try:
            with ThreadPoolExecutor(_RACERS) as pool:
                won = list(pool.map(lambda body: self._try(name, body), bodies))
            if won.count(True) != 1 or self.get_document(name) != bodies[won.index(True)]:
                raise StoreUnavailable(
                    f"the S3 server of {self!r} can't keep an object from being overwritten",
                    expected=f"one of {_RACERS} racing If-None-Match writers to win, and its bytes to stay",
                    found=f"{won.count(True)} winners",
                    do="use a server that keeps conditional writes: AWS S3, or a current SeaweedFS",
                )
        finally:
            # A probe that may not be removed does no harm; the failure that matters is the one above.
            with suppress(WheelyardError), self._errors("the probe could not be removed"):
                self._client.delete_object(**self._at(name))

    def create_bucket(self) -> None:
        """Make the bucket where there is none; may be repeated. For a server of our own.

        :raises StoreUnavailable: the server does not answer, or refuses.
        """
        with self._errors(f"the bucket {self._bucket} could not be made"):
            try:
                self._client.create_bucket(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

    @property
    def _client(self) -> Any:
        """The client of this process: a forked child must not share its parent's connections."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._connect())
            return self._made[1]

    def _connect(self) -> Any:
        access_key, secret_key = self._keys
        config = Config(
            signature_version="s3v4",
            # Three tries of 5 s and the pauses between them: an outage is said within some 15 s.
            connect_timeout=5,
            read_timeout=15,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=32,
            s3={"addressing_style": self._style},
            request_checksum_calculation="when_supported",
            # What is fetched is hashed here, against more than a CRC; ranges have no checksum to compare.
            response_checksum_validation="when_required",
            proxies={} if is_loopback(self._endpoint) else None,
        )
        with self._errors("the S3 credentials could not be read"):
            known = get_session()
            known.register_component("data_loader", _loader())
            session = boto3.session.Session(botocore_session=known, profile_name=self._profile or None)
        return session.client(
            "s3",
            endpoint_url=self._endpoint or None,
            region_name=self._region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def _errors(self, what: str) -> Any:
        return s3_errors(what, self._bucket, self._endpoint, self._disk)

    def _put_blob(self, what: str, stream: IO[bytes], size: int, digest: Digest) -> None:
        if size > _LOOK_FIRST_BYTES and self.renew_blob(digest) is not None:
            return
        if size <= MULTIPART_BYTES:
            for _ in range(_CONFLICTS):
                # One that is there already may be about to be removed, unless it is renewed.
                if (
                    self._put_new(what, blob_name(digest), stream, digest)
                    or self.renew_blob(digest) is not None
                ):
                    return
                stream.seek(0)
            raise StoreUnavailable(
                what, found="it is there and it is not, by turns", do="look for who deletes it"
            )
        # S3's transfer has no condition for parts; nor is one needed, for only equal bytes have this name.
        with self._errors(what):
            self._client.upload_fileobj(
                stream,
                **self._at(blob_name(digest)),
                ExtraArgs=self._extra or None,
                Config=TransferConfig(
                    multipart_threshold=MULTIPART_BYTES, multipart_chunksize=16 << 20, max_concurrency=4
                ),
            )

    def _put_document(self, name: str, body: bytes) -> bool:
        """Returns whether this call wrote it, not another one with the same bytes."""
        for _ in range(_CONFLICTS):
            if self._put_new(f"{name} could not be stored", name, io.BytesIO(body), Digest.of(body)):
                return True
            kept = self.get_document(name)
            if kept == body:
                return False
            if kept is not None:
                raise other_bytes(name, kept, body)
        raise StoreUnavailable(
            f"{name} could not be stored",
            found="it is there and it is not, by turns",
            do="look for who deletes it",
        )

    def _put_new(self, what: str, name: str, stream: IO[bytes], digest: Digest) -> bool:
        """Write an object unless there is one; the server compares the digest before it shows it."""
        start = stream.tell()
        for attempt in range(_CONFLICTS):
            stream.seek(start)
            with self._errors(what):
                try:
                    self._client.put_object(
                        **self._at(name),
                        Body=stream,
                        ChecksumSHA256=digest.base64,
                        IfNoneMatch="*",
                        **self._extra,
                    )
                except ClientError as error:
                    if code_of(error) in {"PreconditionFailed", "412"}:
                        return False
                    # Another writer is at it: AWS asks for the same request again.
                    if code_of(error) != "ConditionalRequestConflict" or attempt == _CONFLICTS - 1:
                        raise
                else:
                    return True
            time.sleep(0.05 * 2**attempt)
        return False

    def _try(self, name: str, body: bytes) -> bool:
        try:
            return self._put_document(name, body)
        except StoredOtherBytes:
            return False


@cache
def _loader() -> Loader:
    """What botocore knows of S3's calls and of AWS's addresses, read once for all stores of a process."""
    return create_loader()
