"""Databases with the tables of this version, of which the migrations run once for a whole session."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from wheelyard.jobs.migrate import migrate


def migrated_sqlite(path: Path) -> str:
    """Make that file a database with all tables; gives its address."""
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.db"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()
