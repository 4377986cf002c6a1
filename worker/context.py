"""What a job's work stands on: the services of one worker process, and the job's own voice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wheelyard.catalogue import Catalogue
from wheelyard.errors import Cancelled, WheelyardError
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Claim, State
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from worker.engine.contract import Engine
from worker.job_log import JobLog


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


@dataclass(slots=True, kw_only=True)
class Work:
    """One claimed job while it is worked on: its log, its phases and their times, and whether it must stop.

    :param scratch: the job's own folder on this host, removed at its end.
    """

    services: Services
    claim: Claim
    log: JobLog
    scratch: Path
    seconds: dict[str, float] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    stop_error: WheelyardError | None = None
    on_stop: list[Callable[[], None]] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, state: State = State.BUILDING) -> Iterator[None]:
        """One phase: noted in SQL under the fence, told to listeners, timed."""
        self.check()
        self.services.ledger.advance(self.claim, name, state)
        self.log.event("phase", name=name)
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 3)
        self.check()

    def halt(self, error: WheelyardError) -> None:
        """Called by the lease's heartbeat: end what runs, from another thread."""
        self.stop_error = error
        self.stop.set()
        for action in list(self.on_stop):
            action()

    def check(self) -> None:
        """Raise what `halt` was called with, if it was."""
        if self.stop.is_set():
            raise self.stop_error or Cancelled(f"job {self.claim.id} was cancelled")

    @property
    def times(self) -> dict[str, Any]:
        """What results say of time: `seconds` of work in all, and `phases` with the seconds of each."""
        return {"seconds": round(sum(self.seconds.values()), 3), "phases": self.seconds}
