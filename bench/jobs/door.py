"""What a client waits for at the front door: a new build accepted, and one that was made before answered."""

from __future__ import annotations

import gc
import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from bench.jobs.figures import Figures
from wheelyard.jobs.ledger import Ledger

CLIENTS = 32
RATE = 64.0
ACCEPT_AIM_MS = 20.0
HIT_AIM_MS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A front door that answers.

    :param url: its address.
    :param token: that it asks for.
    """

    url: str
    token: str

    def post(self, connection: http.client.HTTPConnection, project: str) -> dict[str, Any]:
        """Ask for the build of a project on a connection that stays open."""
        connection.request(
            "POST",
            "/v1/builds",
            body=json.dumps({"requirements": [project]}),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 202):
            raise RuntimeError(f"the door says {answer.status}: {body[:500].decode(errors='replace')}")
        document: dict[str, Any] = json.loads(body)
        return document

    def connect(self) -> http.client.HTTPConnection:
        """A connection."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)


def measure_door(door: Door, ledger: Ledger, requests: int) -> dict[str, Figures]:
    """Times of new builds and of hits: 32 clients ask `RATE` times a second, then without pause.

    The paced ones are what a client waits for; the others say what the door can do at the most.

    :param requests: of each kind.
    """
    numbers = count()
    stamp = f"{time.time_ns():x}"

    def fresh() -> str:
        return f"bench{stamp}n{next(numbers)}"

    known = f"bench{stamp}known"
    _succeed(door, ledger, known)
    _ask(door, fresh, 64, 0.0)
    # A collection of all that this process has loaded would count as the door's time.
    gc.collect()
    gc.freeze()
    return {
        "accept": _ask(door, fresh, requests, RATE),
        "hit": _ask(door, lambda: known, requests, RATE),
        "accept, unpaced": _ask(door, fresh, requests, 0.0),
        "hit, unpaced": _ask(door, lambda: known, requests, 0.0),
    }


def _succeed(door: Door, ledger: Ledger, project: str) -> None:
    """Let a build succeed, as a worker does, so that the next request for it is a hit."""
    connection = door.connect()
    job = str(door.post(connection, project)["id"])
    claim = ledger.claim(job, "bench", 60)
    if claim is None:
        raise RuntimeError("a worker runs beside the bench")
    ledger.succeed(claim, {"wheels": [], "seconds": 1.0, "phases": {}})
    connection.close()


def _ask(door: Door, project: Callable[[], str], requests: int, rate: float) -> Figures:
    """Ask over `CLIENTS` connections; each request has its own time to begin, whatever the one before took.

    :param rate: requests a second of all clients together; 0 means as fast as they can.
    """
    gate = threading.Barrier(CLIENTS)

    def client(number: int) -> list[float]:
        connection, times = door.connect(), []
        connection.connect()
        gate.wait()
        began = time.perf_counter()
        for turn in range(requests // CLIENTS):
            due = began + (turn * CLIENTS + number) / rate if rate else 0.0
            time.sleep(max(0.0, due - time.perf_counter()))
            asked = time.perf_counter()
            door.post(connection, project())
            # One that had to wait for the one before it is late, and that counts (coordinated omission).
            times.append(time.perf_counter() - (min(due, asked) if rate else asked))
        connection.close()
        return times

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Figures.of([one for times in pool.map(client, range(CLIENTS)) for one in times])
