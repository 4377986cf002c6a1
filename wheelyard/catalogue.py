"""The catalogue: the wheels of channels, the image behind a toolchain's name, the newest compiler caches."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import fields

from packaging.utils import canonicalize_name
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.index_file import IndexFile
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import BuildLockRow, CompilerCacheRow, FileRow, ToolchainRow

_FIELDS = tuple(field.name for field in fields(IndexFile))
USE_SECONDS = 86400.0
"""Time for which one note of a file's use stands for all."""
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def check_channel(name: str) -> str:
    """The channel's name, or an InputError where it is none."""
    if not _CHANNEL.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} is not a channel's name",
            expected="lower-case letters, digits and hyphens, at most 63",
        )
    return name


class Catalogue:
    """Reads and writes of what was published. Safe at the same time from any number of processes."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock

    def projects(self, *channels: str) -> list[str]:
        """Canonical names of the projects that one of some channels has files of, sorted."""
        with self.database.reading() as session:
            query = select(FileRow.project).where(FileRow.channel.in_(channels)).distinct()
            return sorted(session.scalars(query))

    def files(self, channel: str | None, project: str | None = None) -> list[IndexFile]:
        """A channel's files, or those of every channel, of one project or of all, sorted by file name."""
        query = select(FileRow).order_by(FileRow.project, FileRow.filename, FileRow.channel)
        if channel is not None:
            query = query.where(FileRow.channel == channel)
        if project is not None:
            query = query.where(FileRow.project == canonicalize_name(project))
        with self.database.reading() as session:
            return [index_file_of(row) for row in session.scalars(query)]

    def file(self, digest: Digest, filename: str) -> IndexFile | None:
        """The file of that digest and name in any channel, or None."""
        query = select(FileRow).where(FileRow.digest == str(digest), FileRow.filename == filename).limit(1)
        with self.database.reading() as session:
            row = session.scalar(query)
            return None if row is None else index_file_of(row)

    def file_named(self, channel: str, filename: str) -> IndexFile | None:
        """A channel's own file of that name, or None."""
        with self.database.reading() as session:
            row = session.get(FileRow, (channel, filename)) if "\0" not in filename else None
            return None if row is None else index_file_of(row)

    def channels_of(self, digest: Digest) -> set[str]:
        """Names of the channels that have a file of that digest."""
        with self.database.reading() as session:
            return set(session.scalars(select(FileRow.channel).where(FileRow.digest == str(digest))))

    def of_build_key(self, build_key: str) -> list[IndexFile]:
        """The wheel of these inputs in every channel that shows it, sorted by channel."""
        query = select(FileRow).where(FileRow.build_key == build_key).order_by(FileRow.channel)
        with self.database.reading() as session:
            return [index_file_of(row) for row in session.scalars(query)]

    def add(self, session: Session, file: IndexFile) -> None:
        """Show a file in its channel, inside the caller's transaction; the same one again is a no-op.

        `keep_file` has bound its name in the store before.
        """
        # Of two transactions that add it at the same time, the second waits for the first, and is a no-op.
        insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
        row = insert(FileRow).values(**file.to_document(), yanked=file.yanked)
        session.execute(row.on_conflict_do_nothing(index_elements=[FileRow.channel, FileRow.filename]))

    def note_use(self, digest: Digest, filename: str) -> None:
        """Note that somebody took a file; once a day is enough for those who forget what nobody uses."""
        now = self._clock()
        query = update(FileRow).where(
            FileRow.digest == str(digest), FileRow.filename == filename, FileRow.used_at < now - USE_SECONDS
        )
        with self.database.transaction() as session:
            session.execute(query.values(used_at=now))

    def toolchain_image(self, name: str) -> str | None:
        """Image id (`sha256:…`) that a toolchain's name stands for, or None where it was never made."""
        with self.database.reading() as session:
            row = session.get(ToolchainRow, name)
            return None if row is None else row.image

    def set_toolchain_image(self, session: Session, name: str, image: str) -> None:
        """Let a toolchain's name stand for an image from now on."""
        session.merge(ToolchainRow(name=name, image=image, made_at=self._clock()))

    def compiler_cache(self, project: str, toolchain: str) -> Digest | None:
        """Digest of the newest compiler cache of a project, or None."""
        with self.database.reading() as session:
            row = session.get(CompilerCacheRow, (project, toolchain))
            return None if row is None else Digest.parse(row.digest)

    def set_compiler_cache(self, project: str, toolchain: str, digest: Digest, size: int) -> None:
        """Note the newest compiler cache of a project."""
        with self.database.transaction() as session:
            session.merge(
                CompilerCacheRow(
                    project=project,
                    toolchain=toolchain,
                    digest=str(digest),
                    size=size,
                    saved_at=self._clock(),
                )
            )

    def use_compiler_cache(self, project: str, toolchain: str, digest: Digest) -> None:
        """Note that a build took a compiler cache: of several, those that were used last stay longest."""
        row = CompilerCacheRow
        query = update(row).where(
            row.project == project, row.toolchain == toolchain, row.digest == str(digest)
        )
        with self.database.transaction() as session:
            session.execute(query.values(saved_at=self._clock()))

    def build_lock(self, key: str) -> Digest | None:
        """Digest of a locked build environment, or None.

        :param key: over what decides it: the sdist's digest, the toolchain's image, the recipe's settings.
        """
        with self.database.reading() as session:
            row = session.get(BuildLockRow, key)
            return None if row is None else Digest.parse(row.lock)

    def set_build_lock(self, key: str, lock: Digest) -> None:
        """Keep the locked build environment of that key."""
        with self.database.transaction() as session:
            session.merge(BuildLockRow(key=key, lock=str(lock), made_at=self._clock()))


def index_file_of(row: FileRow) -> IndexFile:
    """A row of the files, as a value."""
    return IndexFile.from_document({name: getattr(row, name) for name in _FIELDS})
