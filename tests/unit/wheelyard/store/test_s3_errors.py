"""What S3 says, in our words."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError, ResponseStreamingError

from wheelyard.errors import DiskFull, InfrastructureError, StoreUnavailable
from wheelyard.store.s3_errors import s3_errors


def answer(status: int, code: str, message: str = "", operation: str = "PutObject") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


def translated(error: Exception, **more) -> InfrastructureError:
    with (
        pytest.raises(InfrastructureError) as raised,
        s3_errors("x could not be stored", "b", "http://s3", **more),
    ):
        raise error
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        answer(507, "InsufficientStorage"),
        answer(403, "QuotaExceeded"),
        answer(500, "InternalError", "write /d/1.dat: no space left on device"),
        answer(507, "XMinioStorageFull"),
    ],
)
def test_a_full_server_is_a_full_disk(error):
    assert isinstance(translated(error), DiskFull)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (answer(404, "NoSuchBucket"), "bucket named b"),
        (answer(404, "404", operation="HeadBucket"), "bucket named b"),
        (answer(403, "AccessDenied"), "WHEELYARD_S3_ACCESS_KEY"),
        (answer(403, "403", operation="HeadObject"), "WHEELYARD_S3_ACCESS_KEY"),
        (answer(501, "NotImplemented"), "conditional writes"),
        (answer(500, "InternalError"), "disk is full"),
        (answer(503, "SlowDown", operation="GetObject"), "503 SlowDown"),
        (NoCredentialsError(), "WHEELYARD_S3_SECRET_KEY"),
        (ReadTimeoutError(endpoint_url="http://s3"), "WHEELYARD_S3_ENDPOINT"),
        (ResponseStreamingError(error="broken off"), "broken off"),
    ],
)
def test_everything_else_is_an_outage_that_says_what_to_do(error, text):
    outage = translated(error)
    assert isinstance(outage, StoreUnavailable)
    assert text in str(outage)
    assert outage.failed == "x could not be stored"


@pytest.mark.parametrize(("free", "kind"), [(100 << 20, DiskFull), (100 << 30, StoreUnavailable)])
def test_a_server_of_this_machine_that_fails_to_write_may_have_a_full_disk(monkeypatch, tmp_path, free, kind):
    usage = SimpleNamespace(total=200 << 30, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert isinstance(translated(answer(500, "InternalError"), disk=tmp_path), kind)
    assert isinstance(
        translated(answer(500, "InternalError", operation="GetObject"), disk=tmp_path), StoreUnavailable
    )
