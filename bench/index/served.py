"""A server under measurement: how it starts, where its pages are, and how much memory it takes."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pypi_simple import PyPISimple

from bench.index.load import PIP_HEADERS
from wheelyard.stack.processes import Identity, end, spawn
from wheelyard.stack.program import Program

_START_SECONDS = 600.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An index that can be started; it is filled already.

    :param port: on loopback.
    :param simple: path of its simple index.
    :param files: with which it is filled.
    :param fill_seconds: that the filling took.
    :param note: what a reader of the numbers has to know.
    """

    name: str
    program: Program
    port: int
    simple: str
    files: int
    fill_seconds: float
    note: str = ""

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def page(self, project: str) -> str:
        """Path of a project's page."""
        return f"{self.simple}{project}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A server that answers.

    :param first_page_seconds: from its start to its first project page.
    """

    server: Server
    process: Identity = field(repr=False)
    first_page_seconds: float

    def memory(self) -> int:
        """Bytes of memory that its process and all below it hold (resident; shared pages count for each)."""
        return sum(_resident(pid) for pid in _tree(self.process.pid))

    def cpu_seconds(self) -> float:
        """Time of processors that its process and all below it took so far, whatever else the machine did."""
        return sum(map(_cpu_seconds, _tree(self.process.pid)))

    def metadata_paths(self, projects: list[str]) -> list[str]:
        """Paths of metadata files (PEP 658) of those projects; none where the pages name none."""
        found = []
        with PyPISimple(self.server.base + self.server.simple) as client:
            for project in projects:
                first = client.get_project_page(project).packages[0]
                if first.has_metadata:
                    found.append(urlsplit(first.metadata_url).path)
        return found


@contextmanager
def started(server: Server, project: str, folder: Path) -> Iterator[Started]:
    """Start a server, and end it.

    :param project: whose page it has to answer with.
    :param folder: for its log.
    """
    log = folder / f"{server.name}.log"
    with log.open("ab") as stream:
        began = time.perf_counter()
        process = spawn(server.program, stream, dict(os.environ))
    identity = Identity.of(process.pid)
    try:
        while not _answers(server, project):
            if process.poll() is not None or time.perf_counter() - began > _START_SECONDS:
                raise RuntimeError(f"{server.name} does not start: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(_POLL_SECONDS)
        took = time.perf_counter() - began
        if identity is None:
            raise RuntimeError(f"{server.name} is gone")
        yield Started(server=server, process=identity, first_page_seconds=round(took, 2))
    finally:
        if identity is not None:
            end([identity], 10)
        process.wait(timeout=15)


def _answers(server: Server, project: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", server.page(project), headers=PIP_HEADERS)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)
