"""The command line against the fake service, in this process and as a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fake_service import FakeService, serving
from wheelyard.cli.app import run

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def service() -> Iterator[FakeService]:
    with serving(FakeService()) as running:
        yield running


@pytest.fixture
def own_machine(monkeypatch, tmp_path):
    """No service is known but the one that a test names."""
    monkeypatch.setenv("WHEELYARD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WHEELYARD_URL", raising=False)
    monkeypatch.delenv("WHEELYARD_TOKEN", raising=False)


@pytest.fixture
def command(service, own_machine, monkeypatch, capsys) -> Callable[..., Ended]:
    """Runs a command line in this process."""
    monkeypatch.setenv("WHEELYARD_URL", service.url)

    def command_of(*arguments: str) -> Ended:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ended(code=code, out=out, err=err)

    return command_of


@pytest.fixture
def program(service, tmp_path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the program itself; what still runs at the end is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "WHEELYARD_URL": service.url,
            "WHEELYARD_DATA_DIR": str(tmp_path / "data"),
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "wheelyard", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
