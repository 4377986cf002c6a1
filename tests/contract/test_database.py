"""The tables and the database's one door, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from wheelyard.errors import DiskFull, InfrastructureError
from wheelyard.jobs.database import Database, TakenBack, repeated
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.models import Base


def test_the_migrations_make_the_tables_of_the_models(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database_url, database):
    migrate(database_url)
    database.check()


def test_a_database_without_tables_says_what_to_do(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(InfrastructureError) as failure:
        database.check()
    database.close()
    assert failure.value.failed == "the database has no tables"
    assert "wheelyard.jobs.migrate" in failure.value.do


def test_a_database_that_is_not_there_says_which_setting_names_it(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'no-such-folder' / 'jobs.db'}")
    with pytest.raises(InfrastructureError) as failure:
        database.check()
    assert failure.value.failed == "the database does not answer"
    assert "WHEELYARD_DATABASE_URL" in failure.value.do


def test_a_full_disk_is_called_one(tmp_path):
    url = f"sqlite:///{tmp_path / 'small.db'}"
    migrate(url)
    database = Database(url)

    def fill():
        with database.transaction() as session:
            connection = session.connection()
            # SQLite itself stops at this number of pages, as it does where the disk has no room.
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("CREATE TABLE filler (x BLOB)")
            connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(10000000))")

    with pytest.raises(DiskFull):
        fill()
    database.close()


def test_an_error_takes_back_all_that_was_written(database):
    def write_and_stop():
        with database.transaction() as session:
            session.connection().exec_driver_sql("INSERT INTO toolchains VALUES ('a', 'b', 0)")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_and_stop()
    with database.reading() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM toolchains").scalar() == 0


def test_sqlite_keeps_its_promises_for_a_crash(tmp_path):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    migrate(url)
    database = Database(url)
    with database.reading() as session:
        for pragma, value in (("journal_mode", "wal"), ("foreign_keys", 1)):
            assert session.connection().exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    database.close()
    assert sqlite3.connect(tmp_path / "jobs.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_the_database_took_back_because_of_another_is_done_again(database):
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite's writers go one by one")
    with database.transaction() as session:
        session.connection().exec_driver_sql("CREATE TABLE pairs (id integer PRIMARY KEY, n integer)")
        session.connection().exec_driver_sql("INSERT INTO pairs VALUES (1, 0), (2, 0)")
    bump = text("UPDATE pairs SET n = n + 1 WHERE id = :id")
    gate = threading.Barrier(2)
    tries = []

    @repeated
    def add(first, second):
        tries.append(first)
        with database.transaction() as session:
            connection = session.connection()
            connection.execute(bump, {"id": first})
            with contextlib.suppress(threading.BrokenBarrierError):
                gate.wait(timeout=2)
            connection.execute(bump, {"id": second})

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(add, 1, 2), pool.submit(add, 2, 1)]:
            done.result()
    assert len(tries) == 3
    with database.reading() as session:
        rows = session.connection().exec_driver_sql("SELECT n FROM pairs ORDER BY id").scalars().all()
    assert list(rows) == [2, 2]


def test_a_transaction_that_is_taken_back_again_and_again_is_said():
    calls = []

    @repeated
    def never():
        calls.append(1)
        raise TakenBack("no luck")

    with pytest.raises(TakenBack):
        never()
    assert len(calls) == 6


def test_a_patient_transaction_waits_for_a_database_that_comes_back(tmp_path):
    place = tmp_path / "later" / "jobs.db"
    database = Database(f"sqlite:///{place}", patience=10)

    def make():
        place.parent.mkdir()
        migrate(f"sqlite:///{place}")

    maker = threading.Timer(0.5, make)
    maker.start()
    with database.reading() as session:
        assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
    maker.join()
    database.close()
