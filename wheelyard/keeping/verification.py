"""Every object of the store read back: a flipped byte, a lost blob, a record without its wheel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from wheelyard.digests import CHUNK, Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.jobs.database import Database
from wheelyard.keeping.progress import Progress, no_progress
from wheelyard.keeping.references import Reference, References, read_references
from wheelyard.store.contract import Store, StoredBlob

_READERS = 8
_AHEAD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A blob that is not what its digest says, or that is not there.

    :param found: what its bytes hash to, or why they can't be read; empty for one that is lost.
    :param names: what names it; nothing may.
    """

    digest: Digest
    size: int
    found: str
    names: tuple[Reference, ...]

    @property
    def is_lost(self) -> bool:
        """Whether it is not there at all."""
        return not self.found


@dataclass(kw_only=True)
class Verified:
    """What was read, and what was wrong with it.

    :param unreadable: documents that are damaged, each with what is wrong.
    :param size: bytes that were read.
    """

    blobs: int = 0
    size: int = 0
    faults: list[Fault] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults and not self.unreadable


class Verification:
    """Reads every blob and every record back, and changes nothing; needs little memory for a large store."""

    def __init__(self, store: Store, database: Database) -> None:
        self._store = store
        self._database = database

    def run(
        self, *, told: Callable[[Fault], None] = lambda _fault: None, progress: Progress = no_progress
    ) -> Verified:
        """Read all of it.

        :param told: gets each fault as soon as it is found.
        :raises StoreUnavailable: the store as a whole does not answer.
        """
        found = Verified()
        with References() as references:
            for reference in read_references(self._store, self._database, progress, found.unreadable):
                references.add(reference)

            def fault(digest: Digest, size: int, what: str) -> None:
                one = Fault(digest=digest, size=size, found=what, names=tuple(references.of(digest)))
                found.faults.append(one)
                told(one)

            for blob, what in self._read_all():
                found.blobs += 1
                found.size += blob.size
                references.saw(blob.digest)
                if what:
                    fault(blob.digest, blob.size, what)
                progress("bytes", found.size, 0)
            for digest in references.lost():
                # Published while we read, perhaps, and so in no listing of ours.
                if self._store.blob_size(digest) is None:
                    fault(digest, 0, "")
        return found

    def _read_all(self) -> Iterator[tuple[StoredBlob, str]]:
        """Each blob with what is wrong with it, as they come, a few at a time."""
        running: dict[Future[str], StoredBlob] = {}
        with ThreadPoolExecutor(_READERS) as pool:
            for blob in self._store.list_blobs():
                running[pool.submit(self._look, blob.digest)] = blob
                if len(running) >= _AHEAD:
                    yield from _ended(running)
            while running:
                yield from _ended(running)

    def _look(self, digest: Digest) -> str:
        """What is wrong with a blob; it is read twice before anything is said against it."""
        for _ in range(2):
            try:
                found = self._hash(digest)
            except StoreUnavailable as error:
                self._store.blob_size(digest)
                found = f"it can't be read: {error.found or error.failed}"
            if found in ("", str(digest)):
                return ""
        return found

    def _hash(self, digest: Digest) -> str:
        stream = self._store.open_blob(digest)
        if stream is None:
            return ""
        hashed = hashlib.sha256()
        with stream:
            while chunk := stream.read(CHUNK):
                hashed.update(chunk)
        return f"sha256:{hashed.hexdigest()}"


def _ended(running: dict[Future[str], StoredBlob]) -> Iterator[tuple[StoredBlob, str]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()
