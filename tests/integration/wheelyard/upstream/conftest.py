"""An upstream index of the tests' own, a clock that stands, and a database that is made once."""

from __future__ import annotations

import pytest
import stamina

from tests.clocks import StandingClock
from tests.databases import migrated_sqlite
from tests.index_site import serve_index
from wheelyard.jobs.database import Database


@pytest.fixture
def clock():
    return StandingClock(1_764_000_000.0)


@pytest.fixture
def site():
    with serve_index() as served, stamina.set_testing(True, attempts=2, cap=True):  # no pauses
        yield served


@pytest.fixture
def database(tmp_path):
    opened = Database(migrated_sqlite(tmp_path / "jobs.db"))
    yield opened
    opened.close()
