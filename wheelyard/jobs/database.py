"""The database's one door: an engine with the pragmas that SQLite needs, and errors that say what to do."""

from __future__ import annotations

import functools
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from wheelyard.errors import DiskFull, InfrastructureError, InputError
from wheelyard.outages import OUTAGES

_CONNECTIONS = 8
_MORE_CONNECTIONS = 56
_TRUSTED_SECONDS = 1.0
_PATIENCE_PAUSE_SECONDS = 0.2
_TURN_SECONDS = 20.0
_TRIES = 6
_TRY_PAUSE_SECONDS = 0.02
# SQLSTATE of a transaction that the server took back because of another one: nothing of it was done.
_TAKEN_BACK = {"40001", "40P01"}
# A server whose machine is gone says nothing; these let libpq notice that within some 15 s (libpq, 34.1.2).
_LIBPQ = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class TakenBack(InfrastructureError):
    """The database undid a transaction because of another one at the same time; it may be done again."""

    kind = "taken-back"
    title = "The database undid a transaction"


def repeated(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Decorates what is one transaction or several that may be done again: a dead-lock is no outage."""

    @functools.wraps(function)
    def again(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        for tried in range(1, _TRIES):
            try:
                return function(*args, **kwargs)
            except TakenBack:
                # Not in step with who was in the way.
                time.sleep(_TRY_PAUSE_SECONDS * 2**tried * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        return function(*args, **kwargs)

    return again


class Database:
    """Sessions on one database; safe to share between threads.

    :param url: SQLAlchemy address, `sqlite:///FILE` or `postgresql+psycopg://…`.
    :param patience: seconds for which the beginning of a transaction waits for a database that is away, for
        instance because it restarts. What fails after the beginning is said at once.
    """

    def __init__(self, url: str, patience: float = 0.0) -> None:
        self.engine = open_engine(url)
        self._patience = patience
        # SQLite lets a writer that has to wait sleep longer and longer, and wakes nobody: where many threads
        # write, some would wait for seconds. This process's own threads take turns before they ask it.
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None
        self._writers = sessionmaker(self.engine, expire_on_commit=False)
        reads: dict[str, Any] = {"wheelyard_reads": True}
        if self._turn is None:
            # A statement by itself sees what one of a transaction would (READ COMMITTED), with two questions
            # to the server fewer.
            reads["isolation_level"] = "AUTOCOMMIT"
        self._readers = sessionmaker(self.engine.execution_options(**reads), expire_on_commit=False)
        self._writes = 0

    @property
    def writes(self) -> int:
        """Another number after each transaction of this object: who kept what he read must read it again.

        Of other processes it says nothing.
        """
        return self._writes

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error. On SQLite writers go one by one.

        :raises DiskFull: there was no room to write.
        :raises InfrastructureError: the database did not answer.
        """
        try:
            with _transaction(self._writers, self._patience, self._turn) as session:
                yield session
        finally:
            # Of two at the same time one may be lost; the number changes all the same, after both.
            self._writes += 1

    def reading(self) -> AbstractContextManager[Session]:
        """A session that only reads. On SQLite it is one view of the rows, and waits for no writer; on
        PostgreSQL each statement sees what was committed when it began.

        :raises InfrastructureError: the database did not answer.
        """
        return _transaction(self._readers, self._patience)

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
            raise OUTAGES.noted("database", _failure(error)) from error
        except PoolTimeout as error:
            raise OUTAGES.noted("database", _too_busy(error)) from error

    def close(self) -> None:
        """Close every connection; a later use opens new ones."""
        self.engine.dispose()


@contextmanager
def _transaction(
    sessions: sessionmaker[Session], patience: float, turn: threading.Lock | None = None
) -> Iterator[Session]:
    try:
        with _taking(turn), _begun(sessions, patience) as session:
            yield session
            session.commit()
    except (OperationalError, InterfaceError) as error:
        raise OUTAGES.noted("database", _failure(error)) from error
    except PoolTimeout as error:
        raise OUTAGES.noted("database", _too_busy(error)) from error


@contextmanager
def _taking(turn: threading.Lock | None) -> Iterator[None]:
    if turn is None:
        yield
        return
    # Who does not get it in time asks SQLite all the same, which then says what it says of a busy database.
    taken = turn.acquire(timeout=_TURN_SECONDS)
    try:
        yield
    finally:
        if taken:
            turn.release()


def _begun(sessions: sessionmaker[Session], patience: float) -> Session:
    """A session that has its connection already."""
    limit = time.monotonic() + patience
    while True:
        session = sessions()
        try:
            session.connection()
        except (OperationalError, InterfaceError):
            session.close()
            if time.monotonic() >= limit:
                raise
            time.sleep(_PATIENCE_PAUSE_SECONDS)
        except BaseException:
            session.close()
            raise
        else:
            return session


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
    if getattr(original, "sqlstate", "") in _TAKEN_BACK:
        return TakenBack(
            "the database undid a transaction because of another one",
            found=_first_line(error),
            do="ask again; where it stays so, the database is overloaded",
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


def _ping_idle(engine: Engine) -> None:
    """Let a connection that was idle for a while be tried before it is used: its server may have restarted.

    The pool's own `pre_ping` asks at every use, and a request of the front door uses several.
    """

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["wheelyard_idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping(connection: Any, record: Any, _proxy: Any) -> None:
        since = record.info.get("wheelyard_idle_since", float("inf"))
        if time.monotonic() - since < _TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # The pool drops it, and opens another one.
            raise DisconnectionError from error


def open_engine(url: str) -> Engine:
    """A SQLAlchemy engine; on SQLite with WAL, foreign keys, and writers that wait for each other.

    :raises InputError: the address is none, or its driver is not installed.
    """
    sizes = {"pool_size": _CONNECTIONS, "max_overflow": _MORE_CONNECTIONS}
    try:
        address = make_url(url)
        if not address.drivername.startswith("sqlite"):
            postgres = address.get_backend_name() == "postgresql"
            given = {name: value for name, value in _LIBPQ.items() if name not in address.query}
            engine = create_engine(address, connect_args=given if postgres else {}, **sizes)
            _ping_idle(engine)
            return engine
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
