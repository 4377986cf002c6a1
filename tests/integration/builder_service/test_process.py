"""`python -m builder_service` as a process: how it starts, says what is wrong, and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def start(settings_with, redis_url, tmp_path):
    """Starts the process with settings given as variables; it is ended with the test."""
    started = []

    def run(**fields):
        settings = settings_with(**({"redis_url": redis_url} | fields))
        variables = {
            f"WHEELYARD_{name.upper()}": getattr(value, "get_secret_value", lambda value=value: str(value))()
            for name, value in settings
            if value is not None
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "builder_service"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(url, process):
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        assert process.poll() is None, process.communicate()
        try:
            return httpx2.get(f"{url}/readyz", trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("it does not listen")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_when_it_is_told_to(start, number):
    port = free_port()
    process = start(port=port)
    assert wait_for(f"http://127.0.0.1:{port}", process).status_code == 200
    process.send_signal(number)
    _out, error = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in error
    assert '"event": "listening"' in error
    assert "a-token-of-the-tests" not in error


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"redis_url": ""}, 2, "WHEELYARD_REDIS_URL is not set"),
        ({"store_url": "ftp://somewhere"}, 2, "WHEELYARD_STORE_URL does not name a store"),
        ({"database_url": "sqlite://"}, 2, "a database in memory"),
        ({"database_url": "postgres://host/name"}, 2, "postgresql+psycopg://"),
        ({"database_url": "sqlite:///empty.db"}, 3, "the database has no tables"),
        ({"database_url": "sqlite:////nowhere/jobs.db"}, 3, "the database does not answer"),
    ],
)
def test_it_says_what_is_wrong_before_it_listens(start, fields, status, words):
    process = start(port=free_port(), **fields)
    _out, error = process.communicate(timeout=60)
    assert (process.returncode, words in error) == (status, True), error
    assert "Traceback" not in error


def test_a_value_that_can_not_be_names_its_variable(start, settings_with, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "builder_service"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "WHEELYARD_PORT": "eighty",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "WHEELYARD_PORT" in done.stderr) == (2, True)


def test_it_starts_while_redis_and_the_store_are_out_and_says_so(start):
    port = free_port()
    process = start(port=port, redis_url="redis://127.0.0.1:9/0", s3_endpoint="http://127.0.0.1:9")
    answer = wait_for(f"http://127.0.0.1:{port}", process)
    assert (answer.status_code, answer.json()["detail"]) == (503, "not ready: redis, store")
    process.send_signal(signal.SIGTERM)
    _out, error = process.communicate(timeout=20)
    assert error.count("a part is out") == 2


def test_a_port_that_is_taken_is_said(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(port=taken.getsockname()[1])
        _out, error = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "address already in use" in error
