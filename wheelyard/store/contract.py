"""The store's contract: bytes by digest, and documents that are written once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from wheelyard.digests import Digest

RENEW_SECONDS = 12 * 3600.0
"""Age of a blob from which on a new use of it makes it young again."""

GRACE_SECONDS = 24 * 3600.0
"""Age that a blob must have before anybody may remove it as unused; well above `RENEW_SECONDS`, so that
whoever put or renewed one has half a day to write down what needs it."""


class StoredBlob(NamedTuple):
    """A blob as a listing shows it.

    :param size: in bytes.
    :param modified_at: when it was written or renewed last, in epoch seconds.
    """

    digest: Digest
    size: int
    modified_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One thing that the code wants of a store, and what the probe found.

    :param name: for people: `conditional writes`.
    :param found: what was there instead; empty where it is kept.
    :param costs: what does not work without it; empty where it is kept.
    """

    name: str
    found: str = ""
    costs: str = ""

    @property
    def kept(self) -> bool:
        """Whether the store keeps it."""
        return not self.found


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

    def renew_blob(self, digest: Digest) -> int | None:
        """Size of a blob that is about to be needed, or `None`; for half a day nobody removes it as unused.

        Whoever finds a blob, and does not put it again, renews it before he publishes what needs it.
        """

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob, in no particular order, while it is read: a large store does not fit into memory.

        What is put or removed meanwhile may be in it or not.
        """

    def delete_blob(self, digest: Digest, unless_since: float | None = None) -> bool:
        """Remove a blob, for good. Only `wheelyard cache gc` and `cache verify --repair` do.

        :param unless_since: epoch seconds; a blob that was put or renewed at that time or later stays, also
            where that happens while this call is under way.
        :returns: whether it is gone; it may have been before.
        """

    def delete_document(self, name: str) -> None:
        """Remove a document, for good; one that is not there is a no-op. Only `cache gc` and `verify` do."""

    def check(self) -> tuple[Promise, ...]:
        """Try what the code needs of a store, and leave nothing behind.

        :returns: each promise, and what was found where it is not kept: the code does without those.
        :raises StoreUnavailable: it does not answer, or can't keep what is written from being overwritten.
        """
