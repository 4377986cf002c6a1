"""Real servers for the tests: started once for a session on free loopback ports, and ended by their pids."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from pydantic import SecretStr

from wheelyard.errors import StoreUnavailable
from wheelyard.jobs.database import Database
from wheelyard.jobs.migrate import migrate
from wheelyard.settings import Settings
from wheelyard.stack.processes import Identity, end, spawn
from wheelyard.stack.program import Program
from wheelyard.stack.servers import (
    BUCKET,
    Ports,
    redis_address,
    redis_program,
    remove_sockets,
    s3_program,
)
from wheelyard.store.contract import Store
from wheelyard.store.open import open_store
from wheelyard.store.s3 import S3Store

# A job that a shell began in the background has it ignored, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that compiles something else meanwhile is slow for moments; that is no fault of what is tested.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """A SeaweedFS of this session, with one key."""

    ports: Ports
    access_key: str
    secret_key: str
    process: Identity

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports.s3}"

    def settings(self, bucket: str = BUCKET, prefix: str = "wheels") -> Settings:
        """Settings of a process that keeps its bytes there."""
        return Settings(
            store_url=f"s3://{bucket}/{prefix}",
            s3_endpoint=self.endpoint,
            s3_access_key=self.access_key,
            s3_secret_key=SecretStr(self.secret_key),
        )


@contextlib.contextmanager
def running(program: Program, port: int, folder: Path) -> Iterator[Identity]:
    """A server program until it listens, and to its end."""
    log = folder / f"{program.name}.log"
    with log.open("ab") as stream:
        process = spawn(program, stream, dict(os.environ))
    identity = Identity.of(process.pid)
    try:
        limit = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, log.read_text(errors="replace")[-4000:]
            assert time.monotonic() < limit, f"{program.name} does not listen"
            time.sleep(0.1)
        assert identity is not None
        yield identity
    finally:
        if identity is not None:
            end([identity], 5)
        process.wait(timeout=5)


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A SeaweedFS of one's own, for a test that ends it."""
    ports, access_key, secret_key = Ports.draw(), secrets.token_hex(10), secrets.token_urlsafe(24)
    program = s3_program(folder / "s3", folder / "run", ports, access_key, secret_key)
    try:
        with running(program, ports.s3, folder) as process:
            server = S3Server(ports=ports, access_key=access_key, secret_key=secret_key, process=process)
            make_bucket(server)
            yield server
    finally:
        remove_sockets(ports)


def make_bucket(server: S3Server) -> None:
    """Make the session's bucket, as soon as the server takes it."""
    store = S3Store(
        BUCKET, endpoint=server.endpoint, access_key=server.access_key, secret_key=server.secret_key
    )
    limit = time.monotonic() + 60
    while True:
        try:
            store.create_bucket()
        except StoreUnavailable:
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> Iterator[None]:
    """The log's default renders every local variable of a traceback, which takes seconds."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, renderer])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[S3Server]:
    """A real S3 server."""
    with running_s3(tmp_path_factory.mktemp("s3-server")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory) -> Iterator[str]:
    """Address of a real Redis-protocol server."""
    folder = tmp_path_factory.mktemp("redis-server")
    ports, password = Ports.draw(), secrets.token_urlsafe(16)
    program = redis_program(folder / "redis", folder / "run", ports, password)
    with running(program, ports.redis, folder):
        yield redis_address(ports, password)


def postgres_programs() -> Path | None:
    """Folder of `initdb` and `pg_ctl`; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL on a Unix socket of its own."""

    programs: Path
    folder: Path
    account: dict[str, Any]

    @property
    def address(self) -> str:
        """Its address, with a place for a database's name."""
        return f"postgresql+psycopg://wheelyard@/{{database}}?host={self.folder}"

    def run(self, program: str, *argv: str) -> None:
        subprocess.run(
            [str(self.programs / program), "-D", f"{self.folder}/data", *argv],
            check=True, timeout=60, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **self.account,
        )  # fmt: skip

    def start(self) -> None:
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off -c autovacuum=off"
        )
        self.run(
            "pg_ctl", "-l", f"{self.folder}/log", "-w", "-o", f"{options} -c max_connections=300", "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        """End it: `fast` as an administrator does, `immediate` as a crash does."""
        self.run("pg_ctl", "-m", mode, "-w", "stop")

    def make_database(self, name: str, template: str = "template1") -> str:
        """Make a database; gives its address."""
        admin = Database(self.address.format(database="postgres"))
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        admin.close()
        return self.address.format(database=name)


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of one's own, from Debian's package; the test is skipped where that is not installed."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
    # It refuses to run as root; its socket's path must stay short.
    account: dict[str, Any] = (
        {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    )
    with tempfile.TemporaryDirectory(prefix="wy-pg-") as name:
        if account:
            shutil.chown(name, "postgres", "postgres")
        server = PostgresServer(programs=programs, folder=Path(name), account=account)
        server.run("initdb", "-A", "trust", "-U", "wheelyard", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL of this session."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> PostgresServer:
    """A PostgreSQL server whose database `migrated` has the tables, to be copied."""
    migrate(postgres_server.make_database("migrated"))
    return postgres_server


@pytest.fixture
def postgres_database(migrated_postgres: PostgresServer) -> Callable[[], str]:
    """Makes a database with the tables of this version on the real PostgreSQL; gives its address."""

    def make() -> str:
        return migrated_postgres.make_database(f"t_{os.urandom(6).hex()}", "migrated")

    return make


@pytest.fixture
def s3_settings(s3_server: S3Server) -> Settings:
    """Settings with an empty place of this test's own, in the one bucket: each takes volumes of SeaweedFS."""
    return s3_server.settings(BUCKET, secrets.token_hex(8))


@pytest.fixture
def store(s3_settings) -> Store:
    """An empty store in real S3."""
    return open_store(s3_settings)


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition: `until(lambda: ..., seconds=60)`."""

    def wait(condition: Callable[[], object], seconds: float = 30, pause: float = 0.05) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, "it did not come true in time"
            time.sleep(pause)

    return wait
