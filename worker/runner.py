"""One claimed job from claim to end: lease, log, the kind's own work, and exactly one way out."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from wheelyard.errors import Cancelled, DiskFull, InfrastructureError, LeaseLost, WheelyardError
from wheelyard.events import EventStream
from wheelyard.jobs.states import Claim, Kind, State
from worker.context import Services, Work
from worker.job_log import JobLog
from worker.outcome import Done, Outcome, Parked

Handler = Callable[[Work], Outcome]
logger = structlog.get_logger("worker")


class Drained(InfrastructureError):
    """The worker was told to stop; the job goes back to the queue."""

    kind = "drained"
    title = "The worker stops"


class Runner:
    """Runs jobs for one worker process; safe to call from any number of threads.

    :param handlers: what to do for each kind.
    """

    def __init__(self, services: Services, events: EventStream, handlers: Mapping[Kind, Handler]) -> None:
        self._services = services
        self._events = events
        self._handlers = handlers
        self._active: dict[str, Work] = {}
        self._draining = False

    def run(self, job_id: str) -> None:
        """Work on a job if it can be claimed; else do nothing, since the message was late or a repeat."""
        settings = self._services.settings
        if self._draining:
            return
        claim = self._services.ledger.claim(job_id, self._services.owner, settings.lease_seconds)
        if claim is None:
            return
        scratch = settings.data_dir / "scratch" / f"{claim.id}-{claim.fence}"
        try:
            scratch.mkdir(parents=True)
            work = self._open(claim, scratch)
            self._active[claim.id] = work
            with _Heartbeat(work, settings.lease_seconds):
                self._end(work, self._attempt(work))
            self._ring_parents(claim)
        except LeaseLost as error:
            logger.warning("gave up a job that is another's", job=claim.id, error=error.failed)
        except (WheelyardError, OSError):
            # What failed is the bookkeeping itself; the lease runs out, and the reaper takes the job back.
            logger.exception("a job's end could not be noted", job=claim.id)
        finally:
            self._active.pop(claim.id, None)
            shutil.rmtree(scratch, ignore_errors=True)

    def drain(self) -> None:
        """Take no more jobs and hand back those that run."""
        self._draining = True
        for work in list(self._active.values()):
            work.halt(Drained("the worker was told to stop"))

    def _open(self, claim: Claim, scratch: Path) -> Work:
        services = self._services
        log = JobLog(
            self._events,
            job=claim.id,
            title=claim.job.title,
            streams=lambda: services.ledger.parents(claim.id),
            path=scratch / "log.gz",
            limit=services.settings.max_log_bytes,
        )
        seconds = dict(claim.job.spec.get("phases", {}))
        return Work(services=services, claim=claim, log=log, scratch=scratch, seconds=seconds)

    def _attempt(self, work: Work) -> Outcome | WheelyardError:
        job = work.claim.job
        work.log.event("state", state=State.BUILDING.value)
        try:
            return self._handlers[job.kind](work)
        except WheelyardError as error:
            return work.stop_error or error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                return DiskFull(
                    "the worker's disk is full", found=str(error), do="free space below WHEELYARD_DATA_DIR"
                )
            logger.exception("a job failed in an unforeseen way", job=job.id)
            return InfrastructureError("the worker failed", found=repr(error))
        except Exception as error:
            # The last door: whatever a defect of ours raises must end the job visibly and not the worker.
            logger.exception("a job failed in an unforeseen way", job=job.id)
            return InfrastructureError("the worker failed in an unforeseen way", found=repr(error))

    def _end(self, work: Work, outcome: Outcome | WheelyardError) -> None:
        ledger, claim = self._services.ledger, work.claim
        if isinstance(outcome, LeaseLost):
            raise outcome
        if isinstance(outcome, Parked):
            state = ledger.park(claim, outcome.children, {**outcome.spec, "phases": work.seconds})
            self._say(work, state, "waits for what it needs")
            return
        if isinstance(outcome, Drained):
            self._say(work, ledger.release(claim, outcome.failed), outcome.failed)
            return
        if isinstance(outcome, Done):
            log = work.log.close(self._services.store)
            ledger.succeed(claim, outcome.result, log, outcome.publish)
            work.log.event("done", state=State.SUCCEEDED.value, result=outcome.result)
            return
        work.log.line(f"failed: {outcome}")
        log = work.log.close(self._services.store)
        # A child's failure had its own tries already.
        tries = 1 if "failed_job" in outcome.facts else self._services.settings.max_attempts
        state = ledger.fail(claim, outcome, log, tries)
        self._say(work, state, outcome.failed, outcome)

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
