"""What SQL knows of the jobs, as Prometheus' families; read at each scrape, the same in every process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from wheelyard.errors import InfrastructureError
from wheelyard.jobs.database import Database
from wheelyard.jobs.job_totals import BUCKETS, JobTotals
from wheelyard.jobs.queue_load import Lane, QueueLoad, read_load
from wheelyard.jobs.states import Priority

_BOUNDS = (*(str(float(bound)) for bound in BUCKETS), "+Inf")
_PRIORITIES = {priority.value: priority.name.lower() for priority in Priority}


class JobCollector(Collector):
    """Asks SQL at each scrape: for the active jobs, and for what happened since the scrape before.

    While the database is out there are no numbers of jobs, and `wheelyard_database_up` is 0.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._totals = JobTotals(database)
        self._clock = clock
        # A queue that is empty now is still a queue: 0, and not nothing.
        self._lanes: set[Lane] = set()
        self._queues: set[str] = set()
        self._running: set[tuple[str, str]] = set()
        self._reader: threading.Thread | None = None

    def describe(self) -> Iterator[Metric]:
        """Without this the registry would collect, and so ask the database, when it is made."""
        yield GaugeMetricFamily("wheelyard_jobs", "Jobs by kind, state and queue")

    def collect(self) -> Iterator[Metric]:
        """All families, or only that the database is out."""
        up = GaugeMetricFamily("wheelyard_database_up", "Whether the database answered the scrape")
        families: list[Metric] = []
        try:
            now = self._clock()
            load = read_load(self._database, now)
            with self._totals.lock:
                whole = self._totals.catch_up()
                families += self._states(load, whole=whole)
                if whole:
                    families += _total_families(self._totals)
                elif self._reader is None or not self._reader.is_alive():
                    self._reader = threading.Thread(target=self._read_on, name="job-totals", daemon=True)
                    self._reader.start()
        except InfrastructureError:
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield up
        yield from families
        yield from self._waiting(load, now)
        yield from self._work(load)
        yield from _webhooks(load, now)

    def _read_on(self) -> None:
        """Read the rest of a long history beside the scrapes, with as much pause as work."""
        whole = False
        while not whole:
            begun = time.monotonic()
            try:
                with self._totals.lock:
                    whole = self._totals.catch_up()
            except InfrastructureError:
                # The next scrape begins again where this ended.
                return
            time.sleep(time.monotonic() - begun)

    def _states(self, load: QueueLoad, *, whole: bool) -> Iterator[Metric]:
        jobs = Counter(load.states)
        if whole:
            for end, count in self._totals.ended.items():
                jobs[end.kind, end.outcome, end.queue] += count
        family = GaugeMetricFamily(
            "wheelyard_jobs", "Jobs by kind, state and queue", labels=("kind", "state", "queue")
        )
        for labels, count in sorted(jobs.items()):
            family.add_metric(labels, count)
        yield family

    def _waiting(self, load: QueueLoad, now: float) -> Iterator[Metric]:
        self._lanes |= set(load.lanes)
        labels = ("queue", "toolchain", "priority")
        length = GaugeMetricFamily(
            "wheelyard_queue_jobs", "Jobs that a worker could claim now", labels=labels
        )
        age = GaugeMetricFamily(
            "wheelyard_queue_oldest_seconds",
            "Time for which the oldest of them could be claimed",
            labels=labels,
        )
        for lane in sorted(self._lanes):
            waiting = load.lanes.get(lane)
            named = (lane.queue, lane.toolchain, _PRIORITIES.get(lane.priority, str(lane.priority)))
            length.add_metric(named, waiting.jobs if waiting else 0)
            age.add_metric(named, max(0.0, now - waiting.since) if waiting else 0)
        yield length
        yield age

    def _work(self, load: QueueLoad) -> Iterator[Metric]:
        served = {queue for worker in load.workers for queue in worker.queues}
        queues = {*served, *load.resting, *load.for_others, *(lane.queue for lane in self._lanes)}
        self._queues |= queues | {queue for queue, _kind in load.running}
        held_back = GaugeMetricFamily(
            "wheelyard_held_back_jobs",
            "Jobs that can't be claimed yet: they rest after a failed infrastructure, or wait for others",
            labels=("queue", "reason"),
        )
        workers = GaugeMetricFamily(
            "wheelyard_workers",
            "Processes that work on a queue and said so in the last 30 s",
            labels=("queue", "draining"),
        )
        for queue in sorted(self._queues):
            held_back.add_metric((queue, "rests"), load.resting[queue])
            held_back.add_metric((queue, "other jobs"), load.for_others[queue])
            for word, draining in (("no", False), ("yes", True)):
                there = [w for w in load.workers if queue in w.queues and w.draining is draining]
                workers.add_metric((queue, word), len(there))
        running = GaugeMetricFamily(
            "wheelyard_running_jobs", "Jobs that a worker holds", labels=("queue", "kind")
        )
        self._running |= set(load.running)
        for labels in sorted(self._running):
            running.add_metric(labels, load.running[labels])
        held = GaugeMetricFamily("wheelyard_worker_jobs", "Jobs that a worker holds", labels=("worker",))
        slots = GaugeMetricFamily(
            "wheelyard_worker_slots", "Jobs that a worker can hold at once", labels=("worker",)
        )
        for worker in sorted(load.workers, key=lambda one: one.owner):
            held.add_metric((worker.owner,), worker.held)
            slots.add_metric((worker.owner,), worker.slots)
        yield from (held_back, workers, running, held, slots)


def _webhooks(load: QueueLoad, now: float) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "wheelyard_webhooks_waiting", "Messages about ended jobs that are not delivered yet", load.webhooks
    )
    overdue = max(0.0, now - load.webhooks_since) if load.webhooks_since else 0.0
    yield GaugeMetricFamily(
        "wheelyard_webhooks_overdue_seconds", "Time since the first of them was due", overdue
    )


def _total_families(totals: JobTotals) -> Iterator[Metric]:
    """Copies of the totals, which another scrape may change as soon as their lock is free."""
    moves = CounterMetricFamily(
        "wheelyard_transitions", "Moves of jobs by kind and cause", labels=("kind", "cause")
    )
    for labels, count in sorted(totals.moves.items()):
        moves.add_metric(labels, count)
    ended = CounterMetricFamily(
        "wheelyard_jobs_ended",
        "Jobs that ended, by kind, toolchain, outcome and the kind of their error",
        labels=("kind", "toolchain", "outcome", "error"),
    )
    alike: Counter[tuple[str, str, str, str]] = Counter()
    for end, count in totals.ended.items():
        alike[end.kind, end.toolchain, end.outcome, end.error] += count
    for by_end, count in sorted(alike.items()):
        ended.add_metric(by_end, count)
    phases = HistogramMetricFamily(
        "wheelyard_phase_seconds", "Time in each phase of the jobs that ended", labels=("kind", "phase")
    )
    for labels, times in sorted(totals.phases.items()):
        counts = [(bound, float(count)) for bound, count in zip(_BOUNDS, times.cumulative, strict=True)]
        phases.add_metric(labels, counts, times.seconds)
    yield from (moves, ended, phases)
    for name, about, label, values in (
        ("wheelyard_leases_lost", "Claims whose worker went silent", "kind", totals.leases_lost),
        ("wheelyard_plan_nodes", "Wheels that builds needed: hit or built", "outcome", totals.nodes),
        ("wheelyard_wheels_published", "Wheels published", "toolchain", totals.wheels),
        ("wheelyard_wheel_bytes_published", "Bytes of them", "toolchain", totals.wheel_bytes),
    ):
        family = CounterMetricFamily(name, about, labels=(label,))
        for value, count in sorted(values.items()):
            family.add_metric((value,), count)
        yield family
