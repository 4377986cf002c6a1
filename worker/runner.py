"""What one worker takes on: it looks at its queues, and what fits runs on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from wheelyard.errors import WheelyardError
from wheelyard.jobs.states import Claim, Job, Kind
from wheelyard.limits import limits_of
from worker.capacity import Capacity, Seat, Verdict
from worker.claimed_job import ClaimedJob, Drained
from worker.context import Services

_CANDIDATES = 16
_MOST_CANDIDATES = 1024
_FILLING_MEMORY = 2 << 30
_COMPILING = (Kind.WHEEL, Kind.NATIVE, Kind.VERIFY)
logger = structlog.get_logger("worker")


class Runner:
    """Takes jobs in their turn, as many as fit, for one worker process. Safe to call from any thread.

    :param queues: names of the queues that it works on.
    :param capacity: what fits.
    :param claimed: runs one claimed job to its end.
    """

    def __init__(
        self, services: Services, queues: Sequence[str], capacity: Capacity, claimed: ClaimedJob
    ) -> None:
        self._services = services
        self._queues = list(queues)
        self.capacity = capacity
        self._claimed = claimed
        self._looking = threading.Lock()
        self._rung = False
        self._jobs: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        self._draining = threading.Event()
        self._hurried = threading.Event()

    @property
    def draining(self) -> bool:
        """Whether nothing more is taken."""
        return self._draining.is_set()

    def run(self, _job_id: str = "") -> None:
        """Look at the queues, and stay until nothing that was taken runs any more.

        :param _job_id: what was rung for; priority, turns and capacity decide what is taken.
        """
        self.look()
        self.wait_idle(None)

    def look(self, _job_id: str = "") -> None:
        """Take what can be had now and return; many rings at once are one look.

        :param _job_id: as `run`.
        """
        self._rung = True
        # Whoever rings while another looks leaves it to that one, which then looks once more.
        while self._rung and not self.draining and self._looking.acquire(blocking=False):
            try:
                while self._rung and not self.draining:
                    self._rung = False
                    self._take_all()
            except WheelyardError as error:
                # The next ring, or the worker's own round, looks again.
                logger.warning("the queues can't be read", error=str(error))
                return
            finally:
                self._looking.release()

    def wait_idle(self, seconds: float | None) -> bool:
        """Wait until no job runs; whether that came true.

        :param seconds: at the most; None for as long as it takes.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: not self._jobs, seconds):
                    return False
            # A look that is under way may have claimed a job and not started it yet.
            left = -1 if limit is None else max(0.0, limit - time.monotonic())
            if not self._looking.acquire(timeout=left):
                return False
            self._looking.release()
            with self._changed:
                if not self._jobs:
                    return True

    def drain(self) -> None:
        """Take no more jobs; `finish` then ends those that run. Returns at once, also in a signal handler."""
        self._draining.set()

    def hurry(self) -> None:
        """Hand back what runs without further waiting. Returns at once, also in a signal handler."""
        self._draining.set()
        self._hurried.set()

    def finish(self, drain_seconds: float, hand_back_seconds: float) -> bool:
        """Let what runs end, then hand the rest back; whether all of it is over.

        :param drain_seconds: that jobs have to end by themselves, unless `hurry` is called.
        :param hand_back_seconds: that stopping them may take.
        """
        self.drain()
        limit = time.monotonic() + drain_seconds
        while not self._hurried.is_set() and time.monotonic() < limit and not self.wait_idle(0.1):
            pass
        if not self.wait_idle(0):
            self._claimed.halt_all(Drained("the worker was told to stop"))
        return self.wait_idle(hand_back_seconds)

    def _take_all(self) -> None:
        limit = _CANDIDATES
        while not self.draining and not self.capacity.full and not self._claimed.health.complaint():
            jobs = self._services.ledger.next_in_turn(self._queues, limit)
            passed = self._take_first(jobs)
            if passed is None:
                # One was taken, or others were quicker: the queue is another one now.
                continue
            if passed < len(jobs) or len(jobs) < limit or limit >= _MOST_CANDIDATES:
                return
            limit *= 4

    def _take_first(self, jobs: Sequence[Job]) -> int | None:
        """Claim the first job that fits; None where something changed, else how many are others' to take."""
        passed = lost = 0
        for place, job in enumerate(jobs):
            self.capacity.note_waiting(len(jobs) - place - 1)
            compiles = job.kind in _COMPILING
            verdict, seat = self.capacity.ask(_memory_of(job, self._services), job.queue, compiles=compiles)
            if verdict is Verdict.WAIT:
                break
            if seat is None:
                passed += 1
                continue
            claim = self._claim(job, seat)
            if claim is None:
                lost += 1
                continue
            self._start(claim, seat)
            return None
        return None if lost else passed

    def _claim(self, job: Job, seat: Seat) -> Claim | None:
        services = self._services
        claim = None
        try:
            claim = services.ledger.claim(job.id, services.owner, services.settings.lease_seconds)
        finally:
            if claim is None:
                seat.leave()
        return claim

    def _start(self, claim: Claim, seat: Seat) -> None:
        key = (claim.id, claim.fence)
        with self._changed:
            self._jobs.add(key)
        # A daemon: a process that must end does so; whoever ends it in order waits with `finish`.
        threading.Thread(
            target=self._to_end, args=(claim, seat, key), name=f"job-{claim.id}", daemon=True
        ).start()

    def _to_end(self, claim: Claim, seat: Seat, key: tuple[str, int]) -> None:
        try:
            self._claimed.run(claim, seat)
        finally:
            seat.leave()
            # What did not fit beside this job may fit now.
            self.look()
            with self._changed:
                self._jobs.discard(key)
                self._changed.notify_all()


def _memory_of(job: Job, services: Services) -> int:
    """Memory that a job needs of its worker, in bytes."""
    if job.kind in _COMPILING:
        return limits_of(job, services.settings).memory
    return _FILLING_MEMORY if job.kind in (Kind.TOOLCHAIN, Kind.LAYER) else 0
