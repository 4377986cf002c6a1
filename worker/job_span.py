"""The span of one claim of a job, below what asked for the job, with what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from wheelyard.errors import Cancelled, InfrastructureError, LeaseLost, WheelyardError
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Claim
from wheelyard.tracing import Fact, Role, Span, Tracer
from worker.outcome import Outcome, Parked


@contextmanager
def job_span(tracer: Tracer, claim: Claim) -> Iterator[Span]:
    """A span around the work of one claim; a job that is parked or tried again has one for each claim."""
    job = claim.job
    facts: dict[str, Fact] = {
        "wheelyard.job.id": job.id,
        "wheelyard.job.kind": job.kind.value,
        "wheelyard.job.title": job.title,
        "wheelyard.job.fence": claim.fence,
        "wheelyard.job.attempt": job.attempts + 1,
        "wheelyard.job.priority": job.priority,
        "wheelyard.toolchain": job.toolchain,
        "wheelyard.queue": job.queue,
        "wheelyard.worker": claim.owner,
    }
    if claim.fence == 1:
        facts["wheelyard.job.waited_seconds"] = round(time.time() - job.created_at, 3)
    with tracer.span(f"{job.kind.value} job", Role.CONSUMER, job.trace, facts) as span:
        yield span


def tell_outcome(span: Span, outcome: Outcome | WheelyardError, ledger: Ledger, job_id: str) -> None:
    """Say on a span how its claim ended, and link the traces of the others who wait for the job.

    An attempt that failed is an error even where the job is tried again: the attempt is what the span is of.
    """
    if not span.traceparent:
        return
    span.note({"wheelyard.outcome": _word_of(outcome)})
    if isinstance(outcome, WheelyardError):
        span.note({"wheelyard.error.kind": outcome.kind})
        span.fail(outcome.kind, outcome.failed)
    try:
        # At the end, so that those who joined meanwhile are among them.
        for trace in ledger.joined_traces(job_id):
            span.link(trace)
    except InfrastructureError:
        # A trace is worth no more than that.
        return


def _word_of(outcome: Outcome | WheelyardError) -> str:
    if isinstance(outcome, Cancelled):
        return "cancelled"
    if isinstance(outcome, LeaseLost):
        return "lease-lost"
    if isinstance(outcome, WheelyardError):
        return "released" if outcome.kind == "drained" else "failed"
    return "parked" if isinstance(outcome, Parked) else "succeeded"
