"""Databases for the ledger's contract: SQLite, and PostgreSQL where its programs are installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clocks import StandingClock
from tests.databases import migrated_sqlite
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """A database of this test's own, with the tables of this version."""
    if request.param == "sqlite":
        return migrated_sqlite(tmp_path / "jobs.db")
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
