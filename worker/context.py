"""What a job's work stands on: the services of one worker process, and the job's own voice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import stamina

from wheelyard.catalogue import Catalogue
from wheelyard.errors import Cancelled, StoreUnavailable, WheelyardError
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Claim, State
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.tracing import NO_TRACER, Tracer, below
from worker.capacity import Seat
from worker.engine.contract import Engine, Killable
from worker.job_log import JobLog
from worker.metrics import WorkerMetrics

_PATIENCE_SECONDS = 900.0
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One worker process's doors to the outside."""

    settings: Settings
    ledger: Ledger
    catalogue: Catalogue
    requests: Requests
    store: Store
    engine: Engine
    owner: str
    tracer: Tracer = NO_TRACER
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)


@dataclass(slots=True, kw_only=True)
class Work:
    """One claimed job while it is worked on: its log, its phases and their times, and whether it must stop.

    :param scratch: the job's own folder on this host, removed at its end.
    :param seat: its place in this worker, which knows its share of cores and memory.
    """

    services: Services
    claim: Claim
    log: JobLog
    scratch: Path
    seat: Seat
    seconds: dict[str, float] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    stop_error: WheelyardError | None = None
    on_stop: list[Callable[[], None]] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, state: State = State.BUILDING) -> Iterator[None]:
        """One phase: noted in SQL under the fence, told to listeners, timed without the phases inside it."""
        self.check()
        self.services.ledger.advance(self.claim, name, state)
        self.log.event("phase", name=name)
        started, before = time.monotonic(), sum(self.seconds.values())
        try:
            with below(f"phase {name}"):
                yield
        finally:
            inside = sum(self.seconds.values()) - before
            own = time.monotonic() - started - inside
            self.seconds[name] = round(self.seconds.get(name, 0.0) + own, 3)
        self.check()

    def halt(self, error: WheelyardError) -> None:
        """Called by the lease's heartbeat or a drain: end what runs, from another thread."""
        self.stop_error = error
        self.stop.set()
        # The newest first: the older ones may be about containers that are gone already.
        for action in reversed(list(self.on_stop)):
            action()

    def watch(self, container: Killable) -> None:
        """End a container where the job must stop; one that started a moment too late ends at once."""
        self.on_stop.append(container.kill)
        if self.stop.is_set():
            container.kill()

    @contextmanager
    def watching(self, container: Killable) -> Iterator[None]:
        """`watch` for as long as the block runs.

        :raises Cancelled: the job was halted already.
        """
        self.watch(container)
        try:
            self.check()
            yield
        finally:
            self.on_stop.remove(container.kill)

    def check(self) -> None:
        """Raise what `halt` was called with, if it was."""
        if self.stop.is_set():
            raise self.stop_error or Cancelled(f"job {self.claim.id} was cancelled")

    def patiently(self, step: Callable[[], Answer]) -> Answer:
        """Take a step that writes what was made; a store that is out is waited for."""
        for attempt in stamina.retry_context(
            on=StoreUnavailable, attempts=None, timeout=_PATIENCE_SECONDS, wait_initial=1.0, wait_max=15.0
        ):
            with attempt:
                self.check()
                return step()
        raise AssertionError("retry_context ends by a return or a raise")

    @property
    def times(self) -> dict[str, Any]:
        """What results say of time: `seconds` of work in all, and `phases` with the seconds of each."""
        return {"seconds": round(sum(self.seconds.values()), 3), "phases": self.seconds}
