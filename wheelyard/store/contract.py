"""The store's contract: bytes by digest, and documents that are written once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from wheelyard.digests import Digest


class Store(Protocol):
    """Bytes in S3, or in a folder. Every implementation passes `tests/contract/test_store.py`.

    A miss is `None`; an outage raises `StoreUnavailable`; a full disk or bucket raises `DiskFull`.
    All calls are safe at the same time from any number of processes, and may be repeated.
    """

    def put_blob(self, source: Path | bytes, digest: Digest) -> None:
        """Keep bytes under their digest. The same bytes again are a no-op.

        :param source: a file, or bytes in memory.
        :param digest: what they must hash to; checked before anything is visible.
        :raises ForeignOutputRefused: they hash to something else; nothing was written.
        """

    def open_blob(self, digest: Digest, offset: int = 0, length: int | None = None) -> BinaryIO | None:
        """A stream of a blob's bytes, or `None`. The caller closes it.

        :param offset: first byte.
        :param length: number of bytes; `None` means to the end.
        """

    def blob_size(self, digest: Digest) -> int | None:
        """Size in bytes, or `None` where there is no such blob."""

    def fetch_blob(self, digest: Digest, target: Path) -> bool:
        """Copy a blob into a file, verified against its digest, in place only when whole.

        :returns: False where there is no such blob.
        :raises StoreUnavailable: also where the stored bytes do not hash to their digest.
        """

    def put_document(self, name: str, body: bytes) -> None:
        """Write a document once. The same bytes again are a no-op.

        :param name: path of lower-case segments, for instance `records/wheels/KEY.json`.
        :raises StoredOtherBytes: the place holds other bytes; they stay.
        """

    def get_document(self, name: str) -> bytes | None:
        """A document's bytes, or `None`."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of the documents below a prefix such as `records/wheels/`, sorted."""

    def presigned_url(self, digest: Digest, filename: str, seconds: int) -> str | None:
        """An address that gives the blob to anyone for some time; `None` where the store can't make one."""

    def check(self) -> None:
        """Write, read and race a small document, to learn whether the store keeps its promises.

        :raises StoreUnavailable: it does not answer, or a promise can't be kept; the text says which.
        """
