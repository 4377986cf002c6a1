"""How a plan's node stands: as its job does, and blocked where what it needs can't come any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wheelyard.errors import BuildFailed, WheelyardError, from_document
from wheelyard.jobs.states import Job, State
from wheelyard.plan import PlanNode, Standing

_STANDINGS = {
    State.QUEUED: Standing.WAITING,
    State.BUILDING: Standing.BUILDING,
    State.PUBLISHING: Standing.BUILDING,
    State.SUCCEEDED: Standing.BUILT,
    State.FAILED: Standing.FAILED,
    State.CANCELLED: Standing.FAILED,
}
_BLOCKS = {Standing.FAILED: "failed", Standing.BLOCKED: "is blocked"}


def error_of(job: Job) -> WheelyardError:
    """The error that a job ended with."""
    return from_document(job.error) if job.error else BuildFailed(f"{job.title} ended as {job.state}")


def as_its_job(node: PlanNode, job: Job) -> PlanNode:
    """A node as its job stands: what it made, or why it failed."""
    standing = _STANDINGS[job.state]
    if standing is Standing.FAILED:
        return replace(node, standing=standing, reason=error_of(job).failed)
    result = job.result or {}
    # A native artifact is a result by itself.
    made = result.get("wheel") or result
    return replace(
        node,
        standing=standing,
        digest=str(made.get("digest") or node.digest),
        filename=str(made.get("filename") or node.filename),
    )


def blocked_by(node: PlanNode, needs: Iterable[PlanNode]) -> PlanNode:
    """A waiting node, blocked where something that it needs can't come any more."""
    for need in needs:
        if need.standing in _BLOCKS:
            return replace(node, standing=Standing.BLOCKED, reason=f"{need.id} {_BLOCKS[need.standing]}")
    return node
