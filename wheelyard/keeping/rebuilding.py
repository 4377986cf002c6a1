"""The database's index, made again from the bucket alone: `wheelyard cache rebuild-db`."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from wheelyard.build_lock import lock_key_of, lock_of
from wheelyard.catalogue import index_file_of
from wheelyard.channels import DEFAULT, set_channel
from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import Conflict, WheelyardError
from wheelyard.index_changes import CHANGES, Change, IndexChange
from wheelyard.index_file import FILES, IndexFile, keep_file
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import BuildLockRow, ChannelRow, FileRow, ProjectRow, ToolchainRow
from wheelyard.keeping.document_reader import read_documents
from wheelyard.keeping.progress import Progress, no_progress
from wheelyard.keeping.rebuilt_images import RebuiltImages
from wheelyard.keeping.row_pages import rows_by
from wheelyard.projects import set_project
from wheelyard.removed_files import REMOVED, Removal, newest_removals
from wheelyard.store.contract import Store
from wheelyard.toolchain_record import PLACE as TOOLCHAINS
from wheelyard.wheel_record import WheelRecord

WHEELS = "records/wheels/"
_BATCH = 500
_MOST_NOTES = 200
Item = TypeVar("Item")


@dataclass(kw_only=True)
class Rebuilt:
    """What a rebuild did, or would do.

    :param done: number of rows by table and what became of them: `added`, `mended`, `removed`, `same`.
    :param notes: what differed, for people; no more than some hundreds.
    :param problems: what could not be read or does not fit together.
    """

    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def differences(self) -> int:
        """Number of rows that were not as the bucket says."""
        return sum(count for (_table, what), count in self.done.items() if what != "same")

    def note(self, table: str, what: str, of: str) -> None:
        """Count a row, and say what was not as it should be."""
        self.done[table, what] += 1
        if what != "same" and len(self.notes) < _MOST_NOTES:
            self.notes.append(f"{table}: {of} {what}")


class Rebuilding:
    """Makes the index, the toolchains, the build locks and the registry again from the store's documents.

    Idempotent; on a filled database it adds what is missing and mends what differs. What only the database
    knows stays, and is not made again where that is empty: jobs, tokens, the last uses, upstream's pages.

    :param clock: epoch seconds; a file whose last use is not known counts as used now.
    """

    def __init__(self, store: Store, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._database = database
        self._clock = clock

    def run(self, *, dry_run: bool = False, progress: Progress = no_progress) -> Rebuilt:
        """Compare every row with the bucket, and set it right.

        :param dry_run: only say what differs.
        :raises StoreUnavailable: the store does not answer; what was done stays, and it may be repeated.
        """
        return _Run(self._store, self._database, self._clock, dry_run, progress).run()


class _Run:
    def __init__(
        self,
        store: Store,
        database: Database,
        clock: Callable[[], float],
        dry_run: bool,
        progress: Progress,
    ) -> None:
        self._store = store
        self._database = database
        self._clock = clock
        self._dry_run = dry_run
        self._progress = progress
        self._rebuilt = Rebuilt()
        self._changes: dict[tuple[str, ...], IndexChange] = {}
        self._removals: dict[tuple[str, str], Removal] = {}
        self._bound: set[str] = set()
        self._images: dict[str, tuple[float, str]] = {}
        self._locks: dict[str, tuple[float, WheelRecord]] = {}
        self._of_registry = RebuiltImages(store, database, self._rebuilt, clock, progress, dry_run=dry_run)

    def run(self) -> Rebuilt:
        self._read_changes()
        for batch in _batches(self._kept_files()):
            self._set_files(batch)
        for batch in _batches(self._unbound_wheels()):
            self._set_files(batch)
        self._look_at_rows()
        self._set_channels()
        self._set_projects()
        self._set_toolchains()
        self._set_build_locks()
        self._of_registry.run()
        return self._rebuilt

    # -- what the bucket says ------------------------------------------------------------------------------

    def _read(self, prefix: str, step: str) -> Iterator[tuple[str, Any]]:
        names = self._store.list_documents(prefix)
        for name, body in read_documents(self._store, names, self._progress, step):
            try:
                yield name, json.loads(body)
            except ValueError as error:
                self._rebuilt.problems.append(f"{name} can't be read: {error}")

    def _read_changes(self) -> None:
        """The newest change of each thing; their names sort by time."""
        for name, document in self._read(CHANGES, "changes"):
            change = IndexChange.from_document(document, name)
            if change.kind in (Change.IMAGE_TAG, Change.IMAGE_MANIFEST):
                self._of_registry.note(change)
                continue
            what = [change.fields.get(field) for field in ("channel", "filename", "name", "project")]
            if change.kind is not Change.REMOVE:
                self._changes[change.kind.value, *(str(part) for part in what if part)] = change
        for removal in newest_removals(self._store.list_documents(REMOVED)):
            self._removals[removal.channel, removal.name] = removal

    def _kept_files(self) -> Iterator[IndexFile]:
        for name, document in self._read(FILES, "files"):
            try:
                file = IndexFile.from_document(document)
            except (WheelyardError, KeyError, TypeError, ValueError) as error:
                self._rebuilt.problems.append(f"{name} is no file's document: {error!r}")
                continue
            self._bound.add(file.document_name)
            yield file

    def _unbound_wheels(self) -> Iterator[IndexFile]:
        """Wheels from before names were bound, each in its record's channel; the first of a name wins."""
        found = []
        for name, document in self._read(WHEELS, "records"):
            try:
                record = WheelRecord.from_document(document)
                file = IndexFile.of_record(record, record.channel)
            except (WheelyardError, KeyError, TypeError, ValueError) as error:
                self._rebuilt.problems.append(f"{name} is no wheel's record: {error!r}")
                continue
            self._note_record(record)
            if file.document_name not in self._bound:
                found.append(file)
        for file in sorted(found, key=lambda file: (file.published_at, file.build_key)):
            if file.document_name in self._bound:
                self._rebuilt.problems.append(
                    f"{file.filename} of the build key {file.build_key} is not shown: "
                    f"the channel {file.channel} has another file of that name"
                )
                continue
            self._bound.add(file.document_name)
            if not self._dry_run:
                keep_file(self._store, file)
            yield file

    def _note_record(self, record: WheelRecord) -> None:
        inputs = record.inputs
        newest = self._images.get(record.toolchain, (0.0, ""))
        self._images[record.toolchain] = max(newest, (record.published_at, inputs.toolchain))
        if inputs.build_deps == "source":
            # Its environment was locked by sdists, which a record does not name: it is locked anew.
            return
        key = lock_key_of(inputs)
        known = self._locks.get(key)
        if known is None or known[0] > record.published_at:
            self._locks[key] = (record.published_at, record)

    # -- what the database gets ----------------------------------------------------------------------------

    def _set_files(self, files: list[IndexFile]) -> None:
        with self._database.transaction() as session:
            for file in files:
                self._set_file(session, file)

    def _set_file(self, session: Session, file: IndexFile) -> None:
        removal = self._removals.get((file.channel, _key_of(file)))
        row = session.get(FileRow, (file.channel, file.filename))
        of = f"{file.filename} in {file.channel}"
        if removal is not None and not removal.shown:
            if row is not None:
                self._rebuilt.note("files", "removed", of)
                if not self._dry_run:
                    session.delete(row)
            return
        yank = self._changes.get((Change.YANK.value, file.channel, file.filename))
        if yank is not None and (removal is None or yank.at > removal.at):
            file = replace(file, yanked=yank.fields["yanked"])
        if row is None:
            self._rebuilt.note("files", "added", of)
            if not self._dry_run:
                fields = {**file.to_document(), "yanked": file.yanked, "used_at": self._clock()}
                session.add(FileRow(**fields))
        elif index_file_of(row) == file:
            self._rebuilt.note("files", "same", of)
        else:
            self._rebuilt.note("files", "mended", of)
            if not self._dry_run:
                for name, value in {**file.to_document(), "yanked": file.yanked}.items():
                    setattr(row, name, value)

    def _look_at_rows(self) -> None:
        """Tell the bucket of files that only the database knows: those that an older version published."""
        with self._database.reading() as session:
            files = [
                file
                for file in map(
                    index_file_of, rows_by(session, select(FileRow), FileRow.channel, FileRow.filename)
                )
                if file.document_name not in self._bound
            ]
        for file in files:
            of = f"{file.filename} in {file.channel}, of which the bucket had no word,"
            self._rebuilt.note("files", "kept", of)
            if self._dry_run:
                continue
            try:
                keep_file(self._store, replace(file, yanked=None))
            except Conflict as error:
                self._rebuilt.problems.append(str(error))

    def _set_channels(self) -> None:
        with self._database.transaction() as session:
            used = set(session.scalars(select(FileRow.channel).distinct())) | {DEFAULT}
            for change in self._newest(Change.CHANNEL):
                name = change.fields["name"]
                if change.fields.get("removed") and name in used:
                    continue
                used.discard(name)
                row = session.get(ChannelRow, name)
                self._apply(session, "channels", name, row, change.fields, set_channel)
            for name in sorted(used):
                row = session.get(ChannelRow, name)
                self._rebuilt.note("channels", "added" if row is None else "same", name)
                if row is None and not self._dry_run:
                    session.add(ChannelRow(name=name, upstream_projects=[], made_at=self._clock()))

    def _set_projects(self) -> None:
        with self._database.transaction() as session:
            for change in self._newest(Change.PROJECT):
                row = session.get(ProjectRow, change.fields["project"])
                self._apply(session, "projects", change.fields["project"], row, change.fields, set_project)

    def _apply(
        self,
        session: Session,
        table: str,
        name: str,
        row: Any,
        fields: dict[str, Any],
        setter: Callable[[Session, dict[str, Any]], None],
    ) -> None:
        if fields.get("removed"):
            what = "same" if row is None else "removed"
        elif row is None:
            what = "added"
        else:
            what = "same" if all(getattr(row, key) == value for key, value in fields.items()) else "mended"
        self._rebuilt.note(table, what, name)
        if what != "same" and not self._dry_run:
            setter(session, fields)

    def _set_toolchains(self) -> None:
        """What was said last of a name's image; where nothing was, what made its newest wheel."""
        records: dict[str, set[str]] = {}
        for name in self._store.list_documents(TOOLCHAINS):
            toolchain, document = name.removeprefix(TOOLCHAINS).split("/")
            records.setdefault(toolchain, set()).add(f"sha256:{document.partition('.')[0]}")
        said = {change.fields["name"]: change for change in self._newest(Change.TOOLCHAIN)}
        with self._database.transaction() as session:
            for toolchain, images in sorted(records.items()):
                row = session.get(ToolchainRow, toolchain)
                change = said.get(toolchain)
                image = change.fields["image"] if change else self._images.get(toolchain, (0.0, ""))[1]
                if image not in images:
                    image = row.image if row is not None else max(images)
                    if row is None and len(images) > 1:
                        self._rebuilt.problems.append(
                            f"nothing says which image {toolchain} stands for; {image} is taken"
                        )
                what = "added" if row is None else "same" if row.image == image else "mended"
                self._rebuilt.note("toolchains", what, toolchain)
                if what != "same" and not self._dry_run:
                    made_at = change.at if change else self._clock()
                    session.merge(ToolchainRow(name=toolchain, image=image, made_at=made_at))

    def _set_build_locks(self) -> None:
        """A build environment that a record names holds on, so that the same request is a hit again."""
        for batch in _batches(iter(self._locks.items())):
            with self._database.transaction() as session:
                for key, (published_at, record) in batch:
                    if session.get(BuildLockRow, key) is not None:
                        self._rebuilt.note("build_locks", "same", key)
                        continue
                    of = f"the environment of {record.inputs.project} {record.inputs.version}"
                    self._rebuilt.note("build_locks", "added", of)
                    if not self._dry_run:
                        body = canonical_json(lock_of(record.inputs).to_document())
                        self._store.put_blob(body, Digest.of(body))
                        session.add(BuildLockRow(key=key, lock=str(Digest.of(body)), made_at=published_at))

    def _newest(self, kind: Change) -> Iterable[IndexChange]:
        return [change for change in self._changes.values() if change.kind is kind]


def _key_of(file: IndexFile) -> str:
    return file.document_name.rpartition("/")[2].removesuffix(".json")


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, _BATCH)):
        yield batch
