"""A stack that may be broken, how often it is, and the table of what came of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.chaos_stack import ChaosStack, running_stack
from tests.chaos.verdict import HEAD, Table
from tests.conftest import S3Server, running_postgres
from tests.e2e.made_toolchain import made_toolchain
from tests.index_site import serve_index
from wheelyard.errors import EngineFailed
from wheelyard.settings import Settings
from worker.engine.detect import detect_engine

_TABLE = Table()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos-full", action="store_true", help="break everything as often as issue 3 asks: half an hour"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/chaos/" in item.path.as_posix():
            item.add_marker(pytest.mark.chaos)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TABLE.rows:
        terminalreporter.section("chaos: recovery in seconds")
        for line in (HEAD, *(row.line() for row in _TABLE.rows)):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the whole counts are asked for."""
    return bool(request.config.getoption("--chaos-full", default=False))


@pytest.fixture(scope="session")
def table() -> Table:
    return _TABLE


@pytest.fixture(scope="session")
def chaos_stack(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosStack]:
    """One stack for all of these tests, on a PostgreSQL and a Redis of its own."""
    try:
        engine = detect_engine(Settings())
    except EngineFailed as error:
        pytest.skip(f"no container engine: {error.failed}")
    made = made_toolchain(engine)
    folder = tmp_path_factory.mktemp("chaos")
    with (
        running_postgres() as postgres,
        serve_index() as site,
        running_stack(folder, postgres, s3_server, site, made, engine) as stack,
    ):
        yield stack
