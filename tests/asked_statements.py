"""What a database is asked, counted: it is the same on any machine, where a time is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from wheelyard.jobs.database import Database


@contextmanager
def asked_statements(database: Database) -> Iterator[list[str]]:
    """Notes the statements that are sent within, by any thread, without those that begin transactions."""
    asked: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            asked.append(statement)

    try:
        yield asked
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
