"""Migrations on databases that hold something, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from wheelyard.errors import InfrastructureError
from wheelyard.jobs import migrate as migrate_module
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.states import State

IDS = {name: name[0] * 32 for name in ("build", "wheel", "done")}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    return request.getfixturevalue("postgres_server").make_database(f"t_{os.urandom(6).hex()}")


def bring_to(url, revision):
    config = Config()
    folder = Path(migrate_module.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["url"] = url
    command.upgrade(config, revision)


JOB = text(
    "INSERT INTO jobs (id, kind, key, state, queue, toolchain, channel, title, spec, phase, priority, fence,"
    " owner, lease_until, attempts, waiters, cancel_requested, rung_at, log, created_at, started_at,"
    " ended_at)"
    " VALUES (:id, 'wheel', :name, :state, 'q', 't', 'default', :name, '{}', '', 0, 0, '', 0, 0, :waiters,"
    " false, 0, '', 1, 0, 0)"
)
CHILD = text("INSERT INTO job_children VALUES (:parent, :child)")
MOVE = text(
    "INSERT INTO transitions (job, at, actor, before, after, fence, reason)"
    " VALUES (:job, 1, 'api', '', 'queued', 0, 'submitted')"
)


def fill_first(url):
    """Jobs of the first version: a build that waits for a wheel, wanted by a request too, and an old one."""
    database = Database(url)
    with database.transaction() as session:
        for name, state, waiters in (
            ("build", "building", 1),
            ("wheel", "queued", 2),
            ("done", "succeeded", 1),
        ):
            session.execute(JOB, {"id": IDS[name], "name": name, "state": state, "waiters": waiters})
        session.execute(CHILD, {"parent": IDS["build"], "child": IDS["wheel"]})
        session.execute(MOVE, {"job": IDS["wheel"]})
    database.close()


def test_jobs_of_the_first_version_go_on_in_this_one(url):
    bring_to(url, "0001")
    fill_first(url)
    migrate(url)
    database = Database(url)
    ledger = Ledger(database)
    build, wheel, done = ledger.get_many(IDS.values())
    assert (build.waiters, wheel.waiters, done.waiters) == (1, 2, 0)
    assert [move["to"] for move in ledger.transitions(wheel.id)] == ["queued"]
    # The build's own end leaves the wheel to the other request.
    assert ledger.cancel(build.id, "api").state is State.CANCELLED
    assert (ledger.get(wheel.id).state, ledger.get(wheel.id).waiters) == (State.QUEUED, 1)
    assert ledger.claim(wheel.id, "w", 30).fence == 1
    database.close()


def test_a_database_of_a_later_version_is_left_alone_and_said(url):
    migrate(url)
    database = Database(url)
    with database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(InfrastructureError, match="could not be brought to this version"):
        migrate(url)


def test_a_migration_that_fails_leaves_the_database_as_it_was(url):
    bring_to(url, "0001")
    fill_first(url)
    database = Database(url)
    with database.transaction() as session:
        # In the way of a table that the second version makes.
        session.connection().exec_driver_sql("CREATE TABLE webhooks (x integer)")
    with pytest.raises(InfrastructureError, match="could not be brought to this version"):
        migrate(url)
    with database.reading() as session:
        assert session.connection().exec_driver_sql("SELECT sum(waiters) FROM jobs").scalar() == 4
        assert (
            session.connection().exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0001"
        )
    database.close()
