"""The relay and reaper, `python -m worker.relay`: rings for silent jobs, takes back what nobody holds."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

import structlog

from wheelyard.doorbell import CeleryDoorbell, Doorbell
from wheelyard.errors import WheelyardError
from wheelyard.jobs.workers import WorkerRegistry
from wheelyard.settings import read_settings
from worker.context import Services
from worker.leftovers import sweeping
from worker.presence import Presence, identity_of_process
from worker.process import open_services
from worker.rounds import Round, Rounds
from worker.webhook_delivery import telling

_QUIET_SECONDS = 10.0
_MOST_RINGS = 16
_END_SECONDS = 5.0

logger = structlog.get_logger("relay")


def ring_again(services: Services, doorbell: Doorbell) -> int:
    """Ring for the queues whose jobs can be claimed and were not rung lately; returns how often.

    Who hears a ring takes whatever the queue has, so a few are enough, and those count that nobody has
    heard yet: while no worker runs, messages must not pile up.
    """
    rings = 0
    for queue, jobs in _by_queue(services.ledger.silent(_QUIET_SECONDS)).items():
        missing = _MOST_RINGS - doorbell.unheard(queue)
        for job in jobs[: max(missing, 0)]:
            doorbell.ring(job, queue)
            rings += 1
    return rings


def _by_queue(silent: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for job, queue in silent:
        found.setdefault(queue, []).append(job)
    return found


def reap(services: Services, sweep: Callable[[], None]) -> None:
    """Queue the jobs again whose lease ran out.

    :param sweep: called where there were some: what their workers left on this host may go at once.
    """
    taken = services.ledger.take_back(services.settings.max_attempts)
    for job in taken:
        logger.warning("a lease ran out", job=job)
    if taken:
        sweep()


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
    registry = WorkerRegistry(services.ledger.database)
    # Apart from each other: while Redis hangs leases run out all the same, and so does an engine's patience.
    sweeper = sweeping(services)
    rounds = (
        Round(name="reaper", once=lambda: reap(services, sweeper.wake.set), pause=settings.relay_seconds),
        Round(name="ringer", once=lambda: ring_again(services, doorbell), pause=settings.relay_seconds),
        sweeper,
        *telling(services),
    )
    with (
        Presence(registry, identity_of_process(services.owner, ("relay",)), stop.is_set),
        Rounds(rounds, _END_SECONDS),
    ):
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
