"""The database's one door: an engine with the pragmas that SQLite needs, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from wheelyard.errors import InfrastructureError


class Database:
    """Sessions on one database; safe to share between threads.

    :param url: SQLAlchemy address, `sqlite:///FILE` or `postgresql+psycopg://…`.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error.

        :raises InfrastructureError: the database did not answer.
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except OperationalError as error:
            raise InfrastructureError(
                "the database does not answer",
                found=str(error.orig).splitlines()[0] if error.orig else "",
                do="see that it runs and that WHEELYARD_DATABASE_URL names it",
            ) from error

    def check(self) -> None:
        """Ask for the number of jobs' table; raises where the database or its tables are missing."""
        try:
            with self.transaction() as session:
                session.connection().exec_driver_sql("SELECT 1 FROM jobs LIMIT 1")
        except DBAPIError as error:
            raise InfrastructureError(
                "the database has no tables", do="run `python -m wheelyard.jobs.migrate`"
            ) from error


def open_engine(url: str) -> Engine:
    """A SQLAlchemy engine; on SQLite with WAL, enforced foreign keys, and writers that wait for each other."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN is deferred and lets two readers dead-lock when both turn into writers.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
