"""The probe of an S3 server: each promise that the code relies on, tried on small objects that go again."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import httpx2
from boto3.s3.transfer import TransferConfig

from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.store.contract import Promise
from wheelyard.store.loopback import is_loopback

PART_BYTES = 5 << 20
"""The smallest part that S3 takes, but for the last one."""

_PATIENCE_SECONDS = 10.0
_WRONG = Digest.of(b"other bytes")


class Probed(Protocol):
    """What the probe needs of a bucket; every call raises an error of ours where the server refuses."""

    def put(self, name: str, body: bytes, digest: Digest | None = None) -> None:
        """Write an object, with the digest that the server shall compare it to; `None` takes its own."""

    def put_parts(self, name: str, stream: io.BytesIO, config: TransferConfig) -> None:
        """Write an object in parts."""

    def size(self, name: str) -> int | None:
        """Size of an object, or `None`."""

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the objects below a prefix."""

    def link(self, name: str) -> str:
        """An address that gives the object to anyone."""

    def renew(self, name: str) -> bool:
        """Copy an object onto itself."""

    def remove(self, name: str) -> None:
        """Remove an object."""


def probe(bucket: Probed) -> tuple[Promise, ...]:
    """Try everything but conditional writes, which the store itself must insist on.

    :param bucket: below the store's prefix.
    """
    name = f"probes/{secrets.token_hex(16)}"
    body = f"a probe of {name}".encode()
    try:
        bucket.put(name, body)
        return (
            _try("listing after a write", lambda: _list(bucket, name),
                 "`cache rebuild-db`, `cache gc` and `cache verify` may miss what was just written"),
            _try("checksums", lambda: _compare(bucket),
                 "bytes that change on their way to the store are found only when they are read"),
            _try("presigned addresses with ranges", lambda: _follow(bucket.link(name), body),
                 "WHEELYARD_SERVE_FILES=redirect can't be used: let the service stream the files"),
            _try("uploads in parts", lambda: _in_parts(bucket),
                 "files above 64 MiB can't be stored: large wheels, layers and toolchains fail"),
            _try("renewal and removal", lambda: _renew_and_remove(bucket, name),
                 "`cache gc --delete` and `cache verify --repair` can't be used with this key; "
                 "nothing else needs it"),
        )  # fmt: skip
    finally:
        with suppress(WheelyardError):
            bucket.remove(name)


def _try(name: str, step: Callable[[], str], costs: str) -> Promise:
    try:
        found = step()
    except WheelyardError as error:
        found = error.found or error.failed
    except httpx2.HTTPError as error:
        found = str(error) or type(error).__name__
    return Promise(name=name, found=found, costs=costs if found else "")


def _list(bucket: Probed, name: str) -> str:
    return "" if name in bucket.names("probes/") else "what was just written is not listed"


def _compare(bucket: Probed) -> str:
    name = f"probes/{secrets.token_hex(16)}"
    try:
        bucket.put(name, b"some bytes", _WRONG)
    except WheelyardError:
        return ""
    bucket.remove(name)
    return "bytes were taken under another SHA-256 than theirs"


def _follow(address: str, body: bytes) -> str:
    loopback = is_loopback(address)
    with httpx2.Client(trust_env=not loopback, timeout=_PATIENCE_SECONDS) as client:
        whole = client.get(address)
        if whole.content != body:
            return f"the address answers {whole.status_code}, and not with the bytes"
        part = client.get(address, headers={"range": "bytes=2-6"})
    if (part.status_code, part.content) != (httpx2.codes.PARTIAL_CONTENT, body[2:7]):
        return f"a range is answered with {part.status_code} and {len(part.content)} bytes instead of 5"
    return ""


def _in_parts(bucket: Probed) -> str:
    name = f"probes/{secrets.token_hex(16)}"
    size = PART_BYTES + 1
    config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
    bucket.put_parts(name, io.BytesIO(bytes(size)), config)
    found = bucket.size(name)
    bucket.remove(name)
    return "" if found == size else f"an object of {found} bytes, not of {size}"


def _renew_and_remove(bucket: Probed, name: str) -> str:
    if not bucket.renew(name):
        return "an object can't be copied onto itself"
    bucket.remove(name)
    return "" if bucket.size(name) is None else "an object is there still after it was removed"


class S3Bucket:
    """The probe's calls as those of a boto3 client.

    :param at: makes bucket and key of a name.
    :param errors: a context that translates the client's errors.
    :param extra: arguments of every write.
    """

    def __init__(
        self,
        client: Any,
        at: Callable[[str], dict[str, str]],
        errors: Callable[[str], Any],
        extra: dict[str, str],
    ) -> None:
        self._client = client
        self._at = at
        self._errors = errors
        self._extra = extra

    def put(self, name: str, body: bytes, digest: Digest | None = None) -> None:
        """See `Probed.put`."""
        checksum = (digest or Digest.of(body)).base64
        with self._errors("the probe could not be written"):
            self._client.put_object(**self._at(name), Body=body, ChecksumSHA256=checksum, **self._extra)

    def put_parts(self, name: str, stream: io.BytesIO, config: TransferConfig) -> None:
        """See `Probed.put_parts`."""
        with self._errors("the probe could not be written in parts"):
            self._client.upload_fileobj(
                stream, **self._at(name), Config=config, ExtraArgs=self._extra or None
            )

    def size(self, name: str) -> int | None:
        """See `Probed.size`."""
        with self._errors("the probe could not be looked up"):
            pages = self._client.list_objects_v2(
                Bucket=self._at(name)["Bucket"], Prefix=self._at(name)["Key"]
            )
            return next((int(entry["Size"]) for entry in pages.get("Contents", ())), None)

    def names(self, prefix: str) -> Iterator[str]:
        """See `Probed.names`."""
        place = self._at(prefix)
        above = place["Key"].removesuffix(prefix)
        with self._errors("the probes could not be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=place["Bucket"], Prefix=place["Key"]
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(above)

    def link(self, name: str) -> str:
        """See `Probed.link`."""
        with self._errors("an address could not be signed"):
            address: str = self._client.generate_presigned_url(
                "get_object", Params=self._at(name), ExpiresIn=60
            )
        return address

    def renew(self, name: str) -> bool:
        """See `Probed.renew`."""
        with self._errors("the probe could not be renewed"):
            renew(self._client, self._at(name), self._extra)
        return True

    def remove(self, name: str) -> None:
        """See `Probed.remove`."""
        with self._errors("the probe could not be removed"):
            self._client.delete_object(**self._at(name))


def renew(client: Any, place: dict[str, str], extra: dict[str, str]) -> None:
    """Copy an object onto itself, which makes it young; S3 wants something replaced for that.

    :param place: bucket and key.
    :param extra: arguments of every write.
    """
    client.copy_object(
        **place,
        CopySource=place,
        MetadataDirective="REPLACE",
        Metadata={"wheelyard-renewed": secrets.token_hex(4)},
        **extra,
    )
