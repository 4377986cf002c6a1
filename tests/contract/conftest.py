"""Databases for the ledger's contract: SQLite, and PostgreSQL where its programs are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheelyard.jobs.database import Database
from wheelyard.jobs.migrate import migrate


def postgres_programs() -> Path | None:
    """Folder of `initdb` and `pg_ctl`; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL on a Unix socket of its own; its address without a database's name."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
    # It refuses to run as root; its socket's path must stay short.
    account: dict[str, Any] = (
        {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    )
    with tempfile.TemporaryDirectory(prefix="wy-pg-") as name:
        folder = Path(name)
        if account:
            shutil.chown(folder, "postgres", "postgres")

        def run(*argv: str) -> None:
            subprocess.run(
                argv,
                check=True,
                timeout=60,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **account,
            )

        run(str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "wheelyard", "--no-sync")
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=300"
        )
        run(
            str(programs / "pg_ctl"),
            "-D",
            f"{folder}/data",
            "-l",
            f"{folder}/log",
            "-w",
            "-o",
            options,
            "start",
        )
        try:
            yield f"postgresql+psycopg://wheelyard@/{{database}}?host={folder}"
        finally:
            run(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    """A SQLite file with the tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "jobs.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server):
    """A PostgreSQL server whose database `migrated` has the tables, to be copied."""
    _create(postgres_server, "migrated", "template1")
    migrate(postgres_server.format(database="migrated"))
    return postgres_server


def _create(server: str, name: str, template: str) -> None:
    admin = Database(server.format(database="postgres"))
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    admin.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """A database of this test's own, with the tables of this version."""
    if request.param == "sqlite":
        path = tmp_path / "jobs.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    server: str = request.getfixturevalue("migrated_postgres")
    name = f"t_{os.urandom(6).hex()}"
    _create(server, name, "migrated")
    return server.format(database=name)


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()
