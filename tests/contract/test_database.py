"""The tables and the database's one door, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from wheelyard.errors import DiskFull, InfrastructureError
from wheelyard.jobs.database import Database
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
