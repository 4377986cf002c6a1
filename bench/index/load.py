"""Load on an HTTP server: wrk asks for paths in turn, over one or many connections, in a rush or paced."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.index.script import wrk_script
from wheelyard.process import run_command

# What pip 23.2 and later ask with.
PIP_HEADERS = {
    "Accept": "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
    "Accept-Encoding": "gzip, deflate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a server did under one load; times in milliseconds.

    :param errors: answers that were not 2xx or 3xx, and connections that broke.
    :param cpu: of the server for one request, whatever else the machine did; 0 where it was not taken.
    """

    clients: int
    requests: int
    per_second: float
    p50: float
    p99: float
    worst: float
    errors: int
    cpu: float = 0.0

    def line(self, what: str) -> str:
        """One line for people."""
        errors = f"  {self.errors} ERRORS" if self.errors else ""
        return (
            f"{what:<44} {self.per_second:9.0f}/s  p50 {self.p50:8.2f}  p99 {self.p99:8.2f}  "
            f"worst {self.worst:8.1f}  cpu {self.cpu:6.2f} ms{errors}"
        )


def wrk_program() -> str:
    """Where wrk is.

    :raises SystemExit: nowhere.
    """
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("the load comes from wrk, which is not here: apt-get install wrk")
    return found


def rush(
    base: str, paths: Sequence[str], *, clients: int, seconds: float, folder: Path, per_second: float = 0.0
) -> Rate:
    """Ask for paths one after the other, all clients for as long as it is said.

    :param base: address of the server.
    :param per_second: requests of all clients together; 0 means as fast as they are answered.
    """
    script = folder / "wrk.lua"
    pause = 1000 * clients / per_second if per_second else 0.0
    script.write_text(wrk_script(paths, PIP_HEADERS, pause), "utf-8")
    length = max(1, round(seconds))
    argv = [wrk_program(), "-t1", f"-c{clients}", f"-d{length}s", "--timeout", "30s", "-s", str(script), base]
    answer = run_command(argv, timeout=length + 90)
    found = json.loads(answer[answer.rindex("{") :])
    took = found["duration"] / 1e6
    return Rate(
        clients=clients,
        requests=found["requests"],
        per_second=round(found["requests"] / took, 1),
        p50=round(found["p50"] / 1000, 3),
        p99=round(found["p99"] / 1000, 3),
        worst=round(found["worst"] / 1000, 3),
        errors=found["errors"],
    )


def one_by_one(base: str, paths: Sequence[str]) -> Rate:
    """Ask once for each path over one connection: what a first look costs."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.connect()
    times, errors = [], 0
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path, headers=PIP_HEADERS)
        answer = connection.getresponse()
        answer.read()
        times.append(1000 * (time.perf_counter() - began))
        errors += answer.status >= 400
    connection.close()
    ordered = sorted(times)
    return Rate(
        clients=1,
        requests=len(times),
        per_second=round(1000 * len(times) / sum(times), 1),
        p50=round(ordered[len(ordered) // 2], 3),
        p99=round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 3),
        worst=round(ordered[-1], 3),
        errors=errors,
    )
