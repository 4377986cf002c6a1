"""The worker program: `python -m worker --queues plans|compile --concurrency N`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable

import structlog
from celery import Celery
from celery.signals import worker_shutting_down

from wheelyard.doorbell import TASK, celery_application
from wheelyard.errors import WheelyardError
from wheelyard.jobs.states import PLANS_QUEUE, Kind, queue_of
from wheelyard.jobs.workers import WorkerRegistry
from wheelyard.settings import Settings, read_settings
from wheelyard.toolchains import list_toolchains
from worker.leftovers import sweeping
from worker.presence import Presence, identity_of_process
from worker.process import open_runner, open_services
from worker.rounds import Rounds
from worker.runner import Runner

_HAND_BACK_SECONDS = 8.0
_SLACK_SECONDS = 5.0
logger = structlog.get_logger("worker")


def main() -> int:
    """Answer the doorbell until told to stop; then let what runs end for a while, and hand back the rest."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--queues", choices=("plans", "compile"), required=True, help="what this process works on"
    )
    parser.add_argument(
        "--concurrency", type=int, default=1, help="jobs at the same time; 0 means as many as fit"
    )
    arguments = parser.parse_args()
    try:
        settings = read_settings()
        services = open_services(settings)
        registry = WorkerRegistry(services.ledger.database)
        queues = _queues(arguments.queues, settings)
        runner = open_runner(services, queues, arguments.concurrency, registry)
    except WheelyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    machine = runner.capacity.machine
    identity = identity_of_process(
        services.owner, queues, slots=runner.capacity.slots, cores=machine.cores, memory=machine.memory
    )
    services.metrics.serve(settings.metrics_host, settings.metrics_port)
    app = celery_application(settings.redis_url)
    app.task(runner.look, name=TASK, ignore_result=True)
    # From its first heartbeat on it may hold a job, and Celery listens to signals only once it has started.
    early = _EarlySignals(lambda: _begin_to_stop(runner, settings))
    with (
        Presence(registry, identity, lambda: runner.draining, runner.look) as presence,
        Rounds((sweeping(services),)),
    ):
        worker_shutting_down.connect(lambda **_: _begin_to_stop(runner, settings, presence), weak=False)
        code = early.ends(lambda: _answer(app, arguments.queues, queues))
        # Celery is gone by now; its tasks only looked at the queues, so nothing of ours ended with it.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.hurry())
        runner.drain()
        presence.now()
        services.tracer.flush()
        whole = runner.finish(settings.drain_seconds, _HAND_BACK_SECONDS)
    services.tracer.close()
    if not whole:
        logger.warning("a job could not be handed back in time; its lease runs out by itself")
    return code


def _queues(kind: str, settings: Settings) -> tuple[str, ...]:
    if kind == "plans":
        return (PLANS_QUEUE,)
    toolchains = list_toolchains(settings.toolchains_dir)
    return tuple(queue_of(Kind.WHEEL, toolchain.name) for toolchain in toolchains)


def _answer(app: Celery, kind: str, queues: tuple[str, ...]) -> int:
    """Run Celery's worker until a signal ends it; its exit status."""
    # One thread is enough: a ring only lets the runner look.
    code = app.start(
        argv=["worker", "--pool", "threads", "--concurrency", "1",
              "--queues", ",".join(queues),
              "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
              "--hostname", f"{kind}@%h"]
    )  # fmt: skip
    return int(code or 0)


class _ToldToStopError(BaseException):
    """A signal came while Celery was starting."""


class _EarlySignals:
    """Signals until Celery has handlers of its own: they stop what `ends` runs, or keep it from beginning."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop, self._told, self._starting = stop, False, False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def ends(self, program: Callable[[], int]) -> int:
        """Run the program that takes the signals over; its exit status, or 0 if told to stop before that."""
        self._starting = True
        try:
            return 0 if self._told else program()
        except _ToldToStopError:
            return 0
        finally:
            self._starting = False

    def _hear(self, *_: object) -> None:
        self._stop()
        self._told = True
        if self._starting:
            self._starting = False
            raise _ToldToStopError


def _begin_to_stop(runner: Runner, settings: Settings, presence: Presence | None = None) -> None:
    """In a signal handler: the first signal drains, the next one hands back at once."""
    if runner.draining:
        runner.hurry()
        return
    runner.drain()
    if presence is not None:
        presence.now()
    # Whatever hangs meanwhile (a connection, the engine), the process ends, and leases run out.
    seconds = settings.drain_seconds + _HAND_BACK_SECONDS + _SLACK_SECONDS
    last = threading.Timer(seconds, os._exit, args=(1,))
    last.daemon = True
    last.start()


if __name__ == "__main__":
    sys.exit(main())
