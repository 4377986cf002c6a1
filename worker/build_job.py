"""The work of a build job: its plan first, then a job for each node as soon as what it needs is there."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from wheelyard.build_request import BuildRequest
from wheelyard.index_file import IndexFile, keep_file
from wheelyard.plan import Plan, Role, Standing
from wheelyard.toolchains import get_toolchain
from worker.context import Services, Work
from worker.native_job import submit_native
from worker.outcome import Done, Outcome, Parked
from worker.plan_failure import failure_of
from worker.plan_job import begin
from worker.plan_progress import PlanProgress, read_errors
from worker.wheel_job_request import submit_wheel
from worker.wheel_records import needed_record


def make_build(work: Work) -> Outcome:
    """One claim's worth of a build: the first plans it, each later one goes on where a job has ended.

    A node that failed holds up only those that need it; what it did not hold up is built before the build
    itself fails.
    """
    spec = work.claim.job.spec
    request = BuildRequest.from_document(spec)
    if "plan" not in spec:
        begun = begin(work, request, starts=True)
        if isinstance(begun, Parked):
            return begun
        progress, before = begun, begun.plan
    else:
        before = Plan.from_document(spec["plan"])
        progress = _opened(work.services, before, spec)
    # Of a plan that was made just now, too: jobs that were begun before it was whole may be over.
    progress.take_in(work.services.ledger.get_many(progress.told_by))
    progress.settle()
    submit_due(work, request, progress)
    for node in progress.changed(before):
        work.log.event("node", id=node.id, standing=node.standing.value, reason=node.reason)
    plan = progress.lean_plan
    if progress.awaited:
        # What follows it would go on to show the phase that the plan was made in.
        work.log.event("phase", name="waiting")
        document = {"plan": plan.to_document(), "errors": progress.errors_document()}
        return Parked(children=progress.awaited, spec={**spec, **document})
    if not progress.is_there:
        raise failure_of(progress)
    return answer(work, request, plan)


def _opened(services: Services, plan: Plan, spec: dict[str, Any]) -> PlanProgress:
    toolchain = get_toolchain(plan.toolchain, services.settings.toolchains_dir)
    return PlanProgress(plan, services, toolchain, read_errors(spec.get("errors", {})))


def submit_due(work: Work, request: BuildRequest, progress: PlanProgress) -> None:
    """Submit a job for each node that can be built by now; nodes of one key share it."""
    jobs: dict[str, str] = {}
    # Turns are given in the order of submission, so what the end waits for longest is begun first.
    for node in progress.due():
        if node.key not in jobs:
            jobs[node.key] = (
                submit_native(work, progress.plan.image, node)
                if node.role is Role.NATIVE
                else submit_wheel(
                    work,
                    request,
                    node,
                    image=progress.plan.image,
                    runtime=[one.key for one in progress.runs_with(node) if one.role is not Role.NATIVE],
                )
            )
        progress.submitted(node, jobs[node.key])


def answer(work: Work, request: BuildRequest, plan: Plan) -> Done:
    """Show every wheel that was asked for in the request's channel, and say what they are."""
    services = work.services
    nodes = [node for node in plan if node.role is Role.RUNTIME]
    records = [
        needed_record(services, node.key, of=f"{node.project} {node.version}", do="ask for the build again")
        for node in nodes
    ]
    wheels = []
    for node, record in zip(nodes, records, strict=True):
        wheel = {
            "project": node.project, "version": node.version, "filename": record.filename,
            "digest": str(record.digest), "size": record.size, "build_key": record.key,
            "hit": node.standing is Standing.HIT, "seconds": round(sum(record.seconds.values()), 3),
        }  # fmt: skip
        wheels.append(wheel)
        work.log.event("wheel", **wheel)

    shown = [keep_file(services.store, IndexFile.of_record(record, request.channel)) for record in records]

    def publish(session: Session) -> None:
        for file in shown:
            services.catalogue.add(session, file)

    result = {
        "lock": plan.lock, "toolchain_image": plan.image, "wheels": wheels, "plan": plan.to_document(),
        **work.times,
    }  # fmt: skip
    return Done(result=result, publish=publish)
