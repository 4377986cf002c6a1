"""The collection of what nobody needs: `wheelyard cache gc`, a mark-and-sweep over channels and bytes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import select

from wheelyard.digests import Digest
from wheelyard.image_rows import forget_old_blobs
from wheelyard.image_uploads import forget_old_uploads
from wheelyard.index_changes import Change, note_change
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import BuildLockRow, FileRow, UpstreamFileRow
from wheelyard.keeping.file_rules import FileVerdict, Rules
from wheelyard.keeping.marks import Marks
from wheelyard.keeping.progress import Progress, no_progress
from wheelyard.keeping.reachability import Reachability
from wheelyard.removed_files import note_removed
from wheelyard.store.contract import Store

ACTOR = "cache gc"
YOUNG = "younger than the time of grace"
UNNAMED = "nothing names it"
_REMOVERS = 8
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobVerdict:
    """What becomes of one blob.

    :param size: in bytes.
    :param modified_at: epoch seconds.
    :param reason: one of a few, to be counted by.
    :param detail: which one of its kind needs it, or needed it.
    """

    digest: Digest
    size: int
    modified_at: float
    goes: bool
    reason: str
    detail: str = ""


@dataclass(kw_only=True)
class Collected:
    """What a collection found, and did.

    :param counts: number of blobs by whether they go, and why.
    :param sizes: bytes of the same.
    :param files: files that go from their channels.
    :param removed: blobs that were removed.
    :param freed: their bytes.
    :param spared: blobs that were to go, and were needed meanwhile.
    """

    counts: Counter[tuple[bool, str]] = field(default_factory=Counter)
    sizes: Counter[tuple[bool, str]] = field(default_factory=Counter)
    files: list[FileVerdict] = field(default_factory=list)
    removed: int = 0
    freed: int = 0
    spared: int = 0

    def size(self, *, goes: bool) -> int:
        """Bytes that go, or that stay."""
        return sum(size for (going, _reason), size in self.sizes.items() if going is goes)


class Collection:
    """Finds what nobody needs, and removes it where it is told to.

    Safe beside builds and uploads: what was written or needed within the time of grace stays, and
    `Store.delete_blob` looks at that once more. Rows go before bytes, and the names of files stay bound.

    :param clock: epoch seconds.
    """

    def __init__(
        self, store: Store, database: Database, rules: Rules, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._database = database
        self._rules = rules
        self._clock = clock

    def run(
        self,
        *,
        remove: bool,
        told_blob: Callable[[BlobVerdict], None] = lambda _verdict: None,
        told_file: Callable[[FileVerdict], None] = lambda _verdict: None,
        progress: Progress = no_progress,
    ) -> Collected:
        """Judge every file and every blob, and then remove what goes.

        :param remove: whether to do it, or only to say it.
        :param told_blob: gets the verdict on each blob, before anything is removed.
        :param told_file: the same for each file of a channel.
        :raises StoreUnavailable: the store does not answer; it may be run again.
        """
        now, found = self._clock(), Collected()

        def judged(verdict: FileVerdict) -> None:
            if verdict.goes:
                found.files.append(verdict)
            told_file(verdict)

        with Marks() as marks:
            reach = Reachability(self._store, self._database, self._rules, now, progress)
            reach.mark(marks, judged)
            for blob in self._store.list_blobs():
                verdict = self._judge(marks, blob.digest, blob.size, blob.modified_at, now)
                found.counts[verdict.goes, verdict.reason] += 1
                found.sizes[verdict.goes, verdict.reason] += verdict.size
                told_blob(verdict)
                if verdict.goes:
                    marks.let_go(blob.digest, blob.size)
            if remove:
                self._remove_files(found.files, progress)
                self._remove_rows(reach)
                self._remove_blobs(marks, found, now - self._rules.grace, progress)
        return found

    def _judge(self, marks: Marks, digest: Digest, size: int, modified_at: float, now: float) -> BlobVerdict:
        goes, (reason, detail) = False, marks.kept(digest) or ("", "")
        if not reason:
            reason, detail = marks.unwanted(digest) or (UNNAMED, "")
            goes = modified_at < now - self._rules.grace
            if not goes:
                reason, detail = YOUNG, reason
        return BlobVerdict(
            digest=digest, size=size, modified_at=modified_at, goes=goes, reason=reason, detail=detail
        )

    def _remove_files(self, files: list[FileVerdict], progress: Progress) -> None:
        for done, verdict in enumerate(files, 1):
            file = verdict.file
            fields = {"channel": file.channel, "filename": file.filename, "reason": verdict.reason}
            note_change(self._store, Change.REMOVE, ACTOR, fields, self._clock)
            note_removed(self._store, file.channel, file.project, file.filename, self._clock)
            self._remove_file(verdict)
            progress("taking files out of channels", done, len(files))

    @repeated
    def _remove_file(self, verdict: FileVerdict) -> None:
        with self._database.transaction() as session:
            row = session.get(FileRow, (verdict.file.channel, verdict.file.filename))
            if row is not None:
                session.delete(row)

    @repeated
    def _remove_rows(self, reach: Reachability) -> None:
        with self._database.transaction() as session:
            for lock in session.scalars(select(BuildLockRow)).all():
                if reach.lock_goes(lock.key, lock.made_at):
                    session.delete(lock)
            forget_old_uploads(session, self._clock())
            forget_old_blobs(session, self._clock())
            for file in session.scalars(select(UpstreamFileRow)).all():
                if reach.upstream_goes(file.used_at, file.fetched_at):
                    session.delete(file)

    def _remove_blobs(self, marks: Marks, found: Collected, since: float, progress: Progress) -> None:
        total, done, rest = marks.going_count(), 0, marks.going()
        with ThreadPoolExecutor(_REMOVERS) as pool:
            while batch := list(islice(rest, _BATCH)):
                gone = pool.map(lambda one: self._store.delete_blob(one[0], since), batch)
                for (digest, size), is_gone in zip(batch, gone, strict=True):
                    done += 1
                    if not is_gone:
                        found.spared += 1
                        continue
                    found.removed += 1
                    found.freed += size
                    # A document without its bytes is a miss for who reads it, not the other way round.
                    for name in marks.attached(digest):
                        self._store.delete_document(name)
                progress("removing", done, total)
