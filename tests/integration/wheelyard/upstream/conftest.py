"""An upstream index of the tests' own, a clock that stands, and a database that is made once."""

from __future__ import annotations

import pytest
import stamina

from tests.clocks import StandingClock
from tests.index_site import serve_index
from wheelyard.jobs.database import Database
from wheelyard.jobs.migrate import migrate


@pytest.fixture
def clock():
    return StandingClock(1_764_000_000.0)


@pytest.fixture
def site():
    with serve_index() as served, stamina.set_testing(True, attempts=2, cap=True):  # no pauses
        yield served


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("migrated") / "jobs.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(migrated, tmp_path):
    (tmp_path / "jobs.db").write_bytes(migrated.read_bytes())
    opened = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    opened.close()
