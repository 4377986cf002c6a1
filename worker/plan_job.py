"""The work of a plan job, and the beginning of every build job: resolve, fetch, say what is to be made."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest
from wheelyard.jobs.states import Job, State
from wheelyard.node_standing import error_of
from wheelyard.plan import Plan, PlanNode, Role, Standing
from wheelyard.plan_outlook import needs_in, path_seconds
from worker.context import Services, Work
from worker.early_start import EarlyStart
from worker.git_source import source_sdists
from worker.kept_locks import keep_lock
from worker.likely_seconds import likely_seconds
from worker.outcome import Done, Outcome, Parked
from worker.own_names import open_upstream
from worker.plan_progress import PlanProgress
from worker.planner import Planner
from worker.requirements_lock import lock_request
from worker.toolchain_job import ready_toolchain, submit_toolchain


def make_plan(work: Work) -> Outcome:
    """Plan a request, and compile nothing for it but a toolchain that was never made."""
    request = BuildRequest.from_document(work.claim.job.spec)
    planned = begin(work, request)
    if isinstance(planned, Parked):
        return planned
    plan = planned.plan
    result = {"plan": plan.to_document(), "lock": plan.lock, "toolchain_image": plan.image, **work.times}
    return Done(result=result)


def begin(work: Work, request: BuildRequest, *, starts: bool = False) -> PlanProgress | Parked:
    """The plan of a request as it stands before anything is done for it; parked where the toolchain lacks.

    :param starts: whether wheels that wait for nothing are begun while the plan is made.
    """
    services = work.services
    refuse_failed(services.ledger.get_many(work.claim.job.children))
    image = services.catalogue.toolchain_image(request.toolchain)
    if image is None:
        return Parked(children=(submit_toolchain(work, request.toolchain),), spec=work.claim.job.spec)
    ready = ready_toolchain(services, request.toolchain, image)
    requirements, overlay = source_sdists(work, ready, request)
    upstream = open_upstream(services, request.channel, overlay)
    planner = Planner(work=work, request=request, ready=ready, upstream=upstream)
    early = EarlyStart(work, request, ready) if starts else None
    with work.phase("resolve"):
        lock = planner.allowed(lock_request(work, request, ready, planner.resolver, requirements))
        digest = keep_lock(services, lock)
    with work.phase("fetch"):
        try:
            planned = planner.plan(lock, str(digest), early)
        except BaseException:
            if early is not None:
                early.leave()
            raise
        plan = planned.plan if early is None else early.into(planned.plan)
        progress = PlanProgress(plan, services, ready.toolchain, planned.errors)
        progress.settle()
        estimate(progress, services)
    _tell(work, progress.plan)
    return progress


def refuse_failed(children: list[Job]) -> None:
    """Raise the error of the first child that did not succeed, with the names of all of them."""
    failed = [job for job in children if job.state in (State.FAILED, State.CANCELLED)]
    if not failed:
        return
    error = error_of(failed[0])
    others = ", ".join(job.title for job in failed[1:])
    raise type(error)(
        error.failed,
        expected=error.expected,
        found=error.found + (f"\n(also failed: {others})" if others else ""),
        do=error.do,
        **{**error.facts, "failed_job": failed[0].id},
    )


def estimate(progress: PlanProgress, services: Services) -> None:
    """Give each node that is to be built its seconds, and those of the longest chain behind it."""
    nodes = progress.nodes
    own = {node.id: _seconds(node, services, progress.plan.toolchain) for node in nodes.values()}
    paths = path_seconds(needs_in(progress.plan), own)
    for node in list(nodes.values()):
        nodes[node.id] = replace(node, seconds=round(own[node.id], 1), path_seconds=round(paths[node.id], 1))


def _seconds(node: PlanNode, services: Services, toolchain: str) -> float:
    """How long what is left of a node is likely to take."""
    if node.standing is not Standing.WAITING:
        return 0.0
    if node.role is Role.NATIVE:
        return node.seconds
    return likely_seconds(services, node.project, toolchain, Digest.parse(node.inputs["sdist"]))


def _tell(work: Work, plan: Plan) -> None:
    """Say of each node how it stands, and of all of them in numbers."""
    for node in plan:
        key = f", key {node.key[:12]}" if node.key else ""
        why = f": {node.reason}" if node.reason else ""
        word = "to build" if node.standing is Standing.WAITING else node.standing.value
        work.log.line(f"{node.id}: {word}{key}{why}")
    counts = Counter(node.standing for node in plan)
    there = sum(count for standing, count in counts.items() if standing.is_there)
    work.log.line(
        f"plan: {len(plan.nodes)} wheels, {there} in the cache, {counts[Standing.WAITING]} to build"
        + (f", {counts[Standing.BLOCKED]} blocked" if counts[Standing.BLOCKED] else "")
    )
    work.log.event(
        "plan", nodes=len(plan.nodes), standings={standing.value: count for standing, count in counts.items()}
    )
