"""A build's share of its worker's cores, which changes while it runs: others begin, and end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wheelyard.errors import EngineFailed
from wheelyard.limits import Limits
from worker.context import Work
from worker.engine.contract import Container

_PAUSE_SECONDS = 2.0


def cores_within(limits: Limits, cores: float) -> float:
    """The cores of a share that a job's limits let it have."""
    return round(min(cores, limits.cpus) if limits.cpus else cores, 2)


@contextmanager
def following_share(work: Work, container: Container, cpus: float, limits: Limits) -> Iterator[None]:
    """Let a container use what its job's share is at each moment, for as long as the block runs.

    Otherwise what begins beside many small builds would go on with a small share when these have ended.

    :param cpus: that it began with.
    """
    ended = threading.Event()

    def follow() -> None:
        now = cpus
        while not ended.wait(_PAUSE_SECONDS):
            share = cores_within(limits, work.seat.cores())
            if share == now:
                continue
            try:
                container.limit_cpus(share)
            except EngineFailed as error:
                if not ended.is_set():
                    work.log.line(f"its share of cores stays {now:g}: {error.found}")
                return
            now = share

    thread = threading.Thread(target=follow, name="cpu-share", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
