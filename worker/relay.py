"""The relay and reaper, `python -m worker.relay`: rings for silent jobs, takes back what nobody holds."""

from __future__ import annotations

import signal
import sys
import threading

import structlog

from wheelyard.doorbell import CeleryDoorbell, Doorbell
from wheelyard.errors import QueueUnavailable, WheelyardError
from wheelyard.settings import read_settings
from worker.context import Services
from worker.process import open_services

_QUIET_SECONDS = 10.0
_SWEEP_EVERY = 15

logger = structlog.get_logger("relay")


def ring_again(services: Services, doorbell: Doorbell) -> int:
    """Ring for every job that can be claimed and was not rung lately; returns how many."""
    silent = services.ledger.silent(_QUIET_SECONDS)
    for job, queue in silent:
        doorbell.ring(job, queue)
    return len(silent)


def reap(services: Services) -> None:
    """Queue the jobs again whose lease ran out, and remove their containers."""
    for job in services.ledger.take_back(services.settings.max_attempts):
        logger.warning("a lease ran out", job=job)
        services.engine.remove_job(job)


def sweep(services: Services) -> None:
    """Remove the containers of jobs that nobody holds. Jobs of another stack on this host are not ours."""
    for job in services.ledger.get_many(sorted(set(services.engine.jobs().values()))):
        if not job.owner:
            logger.warning("removing a container that nobody owns", job=job.id)
            services.engine.remove_job(job.id)


def main() -> int:
    """One round after the other until told to stop; a round that fails is said, and the next tries again."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = read_settings()
        services = open_services(settings)
    except WheelyardError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    doorbell = CeleryDoorbell(settings.redis_url)
    rounds = 0
    while not stop.is_set():
        try:
            reap(services)
            if rounds % _SWEEP_EVERY == 0:
                sweep(services)
            ring_again(services, doorbell)
        except QueueUnavailable as error:
            logger.warning("can't ring", error=error.found)
        except WheelyardError as error:
            logger.warning("a round failed", error=str(error))
        rounds += 1
        stop.wait(settings.relay_seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
