"""The whole stack, run as a user runs it, against an index of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.made_toolchain import made_toolchain
from tests.e2e.projects import fill_site
from tests.index_site import IndexSite, serve_index
from tests.otlp_receiver import Collector, collecting
from wheelyard.settings import Settings
from worker.engine.contract import Engine
from worker.engine.detect import detect_engine

START_SECONDS = 120
JOB_SECONDS = 600
TOOLCHAIN = "debian12-cp311"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A `wheelyard up` that runs, and the command that talks to it."""

    process: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]
    url: str
    site: IndexSite

    def start_cli(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `wheelyard` command; its two outputs are pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "wheelyard", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def cli(self, *arguments: str, code: int = 0) -> str:
        """Run a `wheelyard` command to its end and give its output; with its errors, where it fails."""
        process = self.start_cli(*arguments)
        out, err = process.communicate(timeout=JOB_SECONDS)
        assert process.returncode == code, f"{arguments} ended with {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return out if code == 0 else out + err

    def answer(self, *arguments: str) -> Any:
        """The JSON answer of a reading command."""
        return json.loads(self.cli(*arguments, "--json"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def site() -> Iterator[IndexSite]:
    with serve_index() as index:
        fill_site(index)
        yield index


@pytest.fixture(scope="session")
def engine() -> Engine:
    return detect_engine(Settings())


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Takes the stack's traces."""
    with collecting() as collector:
        yield collector


@contextmanager
def running_stack(folder: Path, data: Path, site: IndexSite, **settings: str) -> Iterator[Stack]:
    """A `wheelyard up` that reads the tests' index, and ends well.

    :param folder: the stack's own; its log lies there.
    :param data: its data, there or below.
    :param settings: variables beside those that every stack of the tests has.
    """
    port = free_port()
    environment = {
        **os.environ,
        "WHEELYARD_DATA_DIR": str(data),
        "WHEELYARD_PORT": str(port),
        "WHEELYARD_INDEX_URL": site.url,
        "WHEELYARD_TOOLCHAIN": TOOLCHAIN,
        "NO_COLOR": "1",
        "COLUMNS": "200",
        **settings,
    }
    log = folder / "up.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "wheelyard", "up"],
            env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for(data / "run" / "client.json", process, log)
        yield Stack(
            process=process, folder=folder, environment=environment, url=f"http://127.0.0.1:{port}", site=site
        )
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text(errors="replace")[-4000:]


@contextmanager
def stack_with_toolchain(folder: Path, engine: Engine, site: IndexSite, **settings: str) -> Iterator[Stack]:
    """A stack over a bucket with the made toolchain in it; `cache rebuild-db` fills its database.

    :param folder: the bucket is its `store`, the data are its `data`; what lies there already stays.
    """
    copied(made_toolchain(engine).settings.data_dir / "store", folder / "store")
    bucket = {"WHEELYARD_STORE_URL": f"file://{folder / 'store'}"}
    with running_stack(folder, folder / "data", site, **bucket, **settings) as stack:
        yield stack
    shutil.rmtree(folder, ignore_errors=True)


def copied(source: Path, target: Path) -> None:
    """A copy of a store's folder: by links, where that can be."""
    try:
        shutil.copytree(source, target, copy_function=os.link)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


@pytest.fixture(scope="session")
def stack(site: IndexSite, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    more = {"WHEELYARD_OTEL_ENDPOINT": collector.url, "WHEELYARD_METRICS_PORT": str(free_port())}
    with running_stack(folder, folder, site, **more) as running:
        running.cli("toolchain", "build", TOOLCHAIN, "--progress", "plain")
        yield running


def wait_for(place: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + START_SECONDS
    while not place.is_file():
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < limit, log.read_text(errors="replace")
        time.sleep(0.2)
