"""One claimed job from claim to end: lease, log, the kind's own work, and exactly one way out."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import structlog

from wheelyard.errors import Cancelled, DiskFull, InfrastructureError, LeaseLost, WheelyardError
from wheelyard.events import EventStream
from wheelyard.job_result import told_result
from wheelyard.jobs.states import Claim, Kind, State
from worker.capacity import Seat
from worker.context import Services, Work
from worker.host_health import HostHealth
from worker.job_log import JobLog
from worker.job_span import job_span, tell_outcome
from worker.outcome import Done, Outcome, Parked
from worker.redaction import Redaction, index_addresses, secrets_of

Handler = Callable[[Work], Outcome]
Handlers = Mapping[Kind, Handler]
Answer = TypeVar("Answer")
_NOTE_PAUSE_SECONDS = 1.0
logger = structlog.get_logger("worker")


class Drained(InfrastructureError):
    """The worker was told to stop; the job goes back to the queue."""

    kind = "drained"
    title = "The worker stops"


class ClaimedJob:
    """Runs claimed jobs to their end. Safe to call from any number of threads.

    :param handlers: what to do for each kind.
    """

    def __init__(self, services: Services, events: EventStream, handlers: Handlers) -> None:
        self._services = services
        self._events = events
        self._handlers = handlers
        self._active: dict[tuple[str, int], Work] = {}
        self._stop: WheelyardError | None = None
        self.health = HostHealth(services.settings.data_dir)

    def run(self, claim: Claim, seat: Seat) -> None:
        """Work on a claimed job; whatever happens is noted in the ledger, or the lease runs out."""
        settings = self._services.settings
        scratch = settings.data_dir / "scratch" / f"{claim.id}-{claim.fence}"
        key = (claim.id, claim.fence)
        try:
            try:
                work = self._open(claim, scratch, seat)
            except OSError as error:
                self.health.note(failure := _failure(error))
                self._give_back(claim, failure)
                return
            self._active[key] = work
            if self._stop is not None:
                work.halt(self._stop)
            with _Heartbeat(work, settings.lease_seconds), job_span(self._services.tracer, claim) as span:
                outcome = self._attempt(work)
                if work.stop_error is None:
                    # Whatever fails in a job that was stopped says nothing of the host.
                    self.health.note(outcome)
                if isinstance(outcome, WheelyardError):
                    # How long it took is asked of what failed, too; a child's times stay the child's.
                    outcome.facts["phases"] = dict(work.seconds)
                tell_outcome(span, outcome, self._services.ledger, claim.id)
                self._end(work, outcome)
            self._services.metrics.lines_left_out.inc(work.log.left_out)
            self._ring_parents(claim)
        except LeaseLost as error:
            logger.warning("gave up a job that is another's", job=claim.id, error=error.failed)
        except (WheelyardError, OSError):
            # What failed is the bookkeeping itself; the lease runs out, and the reaper takes the job back.
            logger.exception("a job's end could not be noted", job=claim.id)
        finally:
            self._active.pop(key, None)
            shutil.rmtree(scratch, ignore_errors=True)

    def halt_all(self, error: WheelyardError) -> None:
        """End every job that runs or begins from now on; each goes the way of that error."""
        self._stop = error
        halts = [
            threading.Thread(target=work.halt, args=(error,), daemon=True)
            for work in list(self._active.values())
        ]
        for halt in halts:
            halt.start()

    def _open(self, claim: Claim, scratch: Path, seat: Seat) -> Work:
        services = self._services
        scratch.mkdir(parents=True)
        upstream = index_addresses(services.settings.index_url)
        log = JobLog(
            self._events,
            job=claim.id,
            title=claim.job.title,
            streams=lambda: services.ledger.parents(claim.id),
            path=scratch / "log.gz",
            limit=services.settings.max_log_bytes,
            attempt=claim.fence,
            redaction=Redaction(secrets_of(services.settings, _environment(claim), upstream)),
        )
        seconds = dict(claim.job.spec.get("phases", {}))
        return Work(services=services, claim=claim, log=log, scratch=scratch, seat=seat, seconds=seconds)

    def _attempt(self, work: Work) -> Outcome | WheelyardError:
        job = work.claim.job
        work.log.event("state", state=State.BUILDING.value)
        try:
            return self._handlers[job.kind](work)
        except WheelyardError as error:
            return work.stop_error or error
        except OSError as error:
            logger.exception("a job failed in an unforeseen way", job=job.id)
            return _failure(error)
        except Exception as error:
            # The last door: whatever a defect of ours raises must end the job visibly and not the worker.
            logger.exception("a job failed in an unforeseen way", job=job.id)
            return InfrastructureError("the worker failed in an unforeseen way", found=repr(error))

    def _end(self, work: Work, outcome: Outcome | WheelyardError) -> None:
        ledger, claim = self._services.ledger, work.claim
        if isinstance(outcome, LeaseLost):
            raise outcome
        if isinstance(outcome, Parked):
            spec = {**outcome.spec, "phases": work.seconds}
            state = self._noted(lambda: ledger.park(claim, outcome.children, spec))
            self._say(work, state, "waits for what it needs")
            return
        if isinstance(outcome, Drained):
            state = self._noted(lambda: ledger.release(claim, outcome.failed))
            self._say(work, state, outcome.failed)
            return
        if isinstance(outcome, Done):
            log = work.log.close(self._services.store)
            self._noted(lambda: ledger.succeed(claim, outcome.result, log, outcome.publish))
            work.log.event("done", state=State.SUCCEEDED.value, result=told_result(outcome.result))
            return
        # A child's failure had its own tries already.
        tries = 1 if "failed_job" in outcome.facts else self._services.settings.max_attempts
        log, told = work.log.close_failed(self._services.store, outcome)
        state = self._noted(lambda: ledger.fail(claim, told, log, tries))
        self._say(work, state, told.failed, told)

    def _noted(self, step: Callable[[], Answer]) -> Answer:
        """Note a job's end, in spite of a database that is away for a moment: the work is done already."""
        limit = time.monotonic() + self._services.settings.lease_seconds
        while True:
            try:
                return step()
            except LeaseLost:
                raise
            except InfrastructureError as error:
                if time.monotonic() > limit:
                    raise
                logger.warning("a job's end is not noted yet", error=str(error))
                time.sleep(_NOTE_PAUSE_SECONDS)

    def _give_back(self, claim: Claim, error: WheelyardError) -> None:
        """End the claim of a job that could not even begin."""
        logger.warning("a job could not begin", job=claim.id, error=str(error))
        try:
            self._services.ledger.fail(claim, error, max_attempts=self._services.settings.max_attempts)
        except WheelyardError as failure:
            logger.warning("its end could not be noted either", job=claim.id, error=str(failure))

    def _ring_parents(self, claim: Claim) -> None:
        """Ring for who waits for this job, since the relay comes by only every few seconds."""
        ledger = self._services.ledger
        for parent in ledger.get_many(ledger.parents(claim.id)):
            if not parent.state.ended:
                self._services.requests.ring(parent)

    def _say(self, work: Work, state: State, reason: str, error: WheelyardError | None = None) -> None:
        """Tell listeners what became of a job that did not succeed."""
        if not state.ended:
            work.log.event("state", state=state.value, reason=reason)
            return
        told = error or Cancelled(f"job {work.claim.id} was cancelled")
        work.log.event("done", state=state.value, error=told.to_document())


class _Heartbeat:
    """Renews a lease from a thread of its own, and halts the work where that is refused."""

    def __init__(self, work: Work, lease_seconds: float) -> None:
        self._work = work
        self._lease_seconds = lease_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{work.claim.id}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        renewed = time.monotonic()
        # A cancel is seen at the next beat, so beats are a good deal closer than the lease asks for.
        while not self._ended.wait(min(2.0, self._lease_seconds / 3)):
            try:
                self._work.services.ledger.renew(self._work.claim, self._lease_seconds)
                renewed = time.monotonic()
            except (Cancelled, LeaseLost) as error:
                self._work.halt(error)
                return
            except WheelyardError as error:
                logger.warning("the lease could not be renewed", job=self._work.claim.id, error=error.failed)
                if time.monotonic() - renewed > self._lease_seconds:
                    self._work.halt(LeaseLost("the database was away for longer than the lease"))
                    return


def _environment(claim: Claim) -> dict[str, str]:
    """Variables of a wheel's build, which may hold secrets of a recipe."""
    return dict(claim.job.spec.get("inputs", {}).get("environment", {}))


def _failure(error: OSError) -> InfrastructureError:
    if error.errno == errno.ENOSPC:
        return DiskFull(
            "the worker's disk is full", found=str(error), do="free space below WHEELYARD_DATA_DIR"
        )
    return InfrastructureError("the worker failed", found=repr(error))
