"""Databases for the ledger's contract: SQLite, and PostgreSQL where its programs are installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.clocks import StandingClock
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    """A SQLite file with the tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "jobs.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """A database of this test's own, with the tables of this version."""
    if request.param == "sqlite":
        path = tmp_path / "jobs.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgres_database")()
    return url


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(1_000_000.0)


@pytest.fixture
def ledger(database: Database, clock: StandingClock) -> Ledger:
    return Ledger(database, clock)
