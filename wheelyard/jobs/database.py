"""The database's one door: an engine with the pragmas that SQLite needs, and errors that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from wheelyard.errors import DiskFull, InfrastructureError, InputError

_CONNECTIONS = 8
_MORE_CONNECTIONS = 56


class Database:
    """Sessions on one database; safe to share between threads.

    :param url: SQLAlchemy address, `sqlite:///FILE` or `postgresql+psycopg://…`.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writers = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(
            self.engine.execution_options(wheelyard_reads=True), expire_on_commit=False
        )

    def transaction(self) -> AbstractContextManager[Session]:
        """One transaction: committed at the end, rolled back on any error. On SQLite writers go one by one.

        :raises DiskFull: there was no room to write.
        :raises InfrastructureError: the database did not answer.
        """
        return _transaction(self._writers)

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that only reads: one view of the rows, which on SQLite waits for no writer.

        :raises InfrastructureError: the database did not answer.
        """
        return _transaction(self._readers)

    def check(self) -> None:
        """Ask for one row of the jobs; raises where the database or its tables are missing.

        :raises InfrastructureError: it does not answer, or it has no tables.
        """
        try:
            with self._readers.begin() as session:
                session.connection().exec_driver_sql("SELECT 1 FROM jobs LIMIT 1")
        except DBAPIError as error:
            text = str(error.orig)
            if "no such table" in text or "does not exist" in text:
                raise InfrastructureError(
                    "the database has no tables",
                    found=_first_line(error),
                    do="run `python -m wheelyard.jobs.migrate`",
                ) from error
            raise _failure(error) from error
        except PoolTimeout as error:
            raise _too_busy(error) from error

    def close(self) -> None:
        """Close every connection; a later use opens new ones."""
        self.engine.dispose()


@contextmanager
def _transaction(sessions: sessionmaker[Session]) -> Iterator[Session]:
    try:
        with sessions.begin() as session:
            yield session
    except (OperationalError, InterfaceError) as error:
        raise _failure(error) from error
    except PoolTimeout as error:
        raise _too_busy(error) from error


def _failure(error: DBAPIError) -> InfrastructureError:
    original: Any = error.orig
    # SQLite's own name, and PostgreSQL's SQLSTATE, for a write that found no room.
    if (
        getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(original, "sqlstate", "") == "53100"
    ):
        return DiskFull(
            "the database's disk is full", found=_first_line(error), do="make room there; nothing was lost"
        )
    return InfrastructureError(
        "the database does not answer",
        found=_first_line(error),
        do="see that it runs and that WHEELYARD_DATABASE_URL names it",
    )


def _too_busy(error: PoolTimeout) -> InfrastructureError:
    return InfrastructureError(
        "every connection to the database is in use",
        expected=f"a free one among {_CONNECTIONS + _MORE_CONNECTIONS}",
        found=str(error).splitlines()[0],
        do="try again; where it stays so, start another process of the service",
    )


def _first_line(error: DBAPIError) -> str:
    lines = str(error.orig).splitlines() if error.orig else []
    return lines[0] if lines else ""


def _no_address(found: str) -> InputError:
    return InputError(
        "WHEELYARD_DATABASE_URL does not name a database that can be used",
        expected="sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
        found=found,
        do="mend it; PostgreSQL needs `pip install 'wheelyard[postgres]'`",
    )


def open_engine(url: str) -> Engine:
    """A SQLAlchemy engine; on SQLite with WAL, foreign keys, and writers that wait for each other.

    :raises InputError: the address is none, or its driver is not installed.
    """
    sizes = {"pool_size": _CONNECTIONS, "max_overflow": _MORE_CONNECTIONS}
    try:
        address = make_url(url)
        if not address.drivername.startswith("sqlite"):
            return create_engine(address, pool_pre_ping=True, **sizes)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise _no_address(str(error)) from error
    if address.database in {None, "", ":memory:"}:
        raise _no_address("a database in memory, which no other process could see")
    arguments = {"timeout": 30, "check_same_thread": False}
    engine = create_engine(address, connect_args=arguments, **sizes)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN is deferred and lets two readers dead-lock when both turn into writers.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A reader takes no lock in WAL; who may write takes the writers' one at once, see above.
        reads = connection.get_execution_options().get("wheelyard_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
