"""A database of one run, in a temporary file of SQLite's own, since a large store has millions of names."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self


class ScratchDatabase:
    """Tables that are gone with the run. Not safe between threads.

    :param tables: statements that make them.
    """

    def __init__(self, tables: str) -> None:
        # An empty name is a temporary file, which goes with the connection.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {tables}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
