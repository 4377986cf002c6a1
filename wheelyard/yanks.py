"""Yanked files (PEP 592): still there for who names that very version, passed over by everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from wheelyard.catalogue import index_file_of
from wheelyard.errors import NotFound
from wheelyard.index_changes import Change, note_change
from wheelyard.index_file import IndexFile
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import FileRow
from wheelyard.store.contract import Store


class Yanks:
    """Yanks files and takes that back. Safe at the same time from any number of processes.

    :param store: keeps each change, before the database shows it.
    """

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    @repeated
    def set(self, channel: str, filename: str, reason: str | None, actor: str) -> IndexFile:
        """Yank a file, or take that back. Idempotent.

        :param reason: for people, perhaps empty; None takes the yank back.
        :raises NotFound: the channel itself has no such file; one of its base is yanked there.
        """
        with self._database.transaction() as session:
            row = None
            if "\0" not in filename:
                row = session.get(FileRow, (channel, filename), with_for_update=True)
            if row is None:
                raise NotFound(
                    f"the channel {channel} has no file {filename[:200]!r} of its own",
                    do="see `wheelyard cache ls`; a file of its base is yanked in that channel",
                )
            file = index_file_of(row)
            if file.yanked != reason:
                fields = {"channel": channel, "filename": filename, "yanked": reason}
                note_change(self._store, Change.YANK, actor, fields, self._clock)
                set_yank(session, fields)
        return replace(file, yanked=reason)


def set_yank(session: Session, fields: dict[str, Any]) -> None:
    """Set a file's yank to that of a change, inside the caller's transaction; a gone file stays gone."""
    row = session.get(FileRow, (fields["channel"], fields["filename"]))
    if row is not None:
        row.yanked = fields["yanked"]
        session.flush()
