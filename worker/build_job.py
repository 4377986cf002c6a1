"""The work of a build job: resolve, fetch, a wheel job for each miss, the answer when all have ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from wheelyard.errors import BuildFailed, WheelyardError, from_document
from wheelyard.index_file import IndexFile, keep_file
from wheelyard.jobs.states import Job, State
from wheelyard.limits import Limits
from wheelyard.recipes import get_recipe
from wheelyard.requests import BuildRequest, Caller
from wheelyard.toolchains import get_toolchain
from worker.context import Services, Work
from worker.outcome import Done, Outcome, Parked
from worker.own_names import open_upstream
from worker.planner import Node, Planner, keep_lock, needed_record
from worker.toolchain_job import ReadyToolchain, ready_toolchain, submit_toolchain


def make_build(work: Work) -> Outcome:
    """One claim's worth of a build: the first plans it, each later one starts a round or answers."""
    services, spec = work.services, work.claim.job.spec
    request = BuildRequest.from_document(spec)
    refuse_failed(services, work.claim.job.children)
    if "nodes" not in spec:
        image = services.catalogue.toolchain_image(request.toolchain)
        if image is None:
            return Parked(children=(submit_toolchain(work, request.toolchain),), spec=spec)
        spec = {**spec, **plan(work, request, ready_toolchain(services, request.toolchain, image))}
    nodes = [Node(**node) for node in spec["nodes"]]
    waiting = [node for node in nodes if not node.hit and not node.job]
    if waiting:
        level = min(node.level for node in waiting)
        # Turns are given in the order of submission, so what the end waits for longest is begun first.
        ready = sorted((node for node in waiting if node.level == level), key=lambda node: -node.path_seconds)
        submitted = {node.key: submit_node(work, spec, nodes, node) for node in ready}
        nodes = [submitted.get(node.key, node) for node in nodes]
        spec = {**spec, "nodes": [asdict(node) for node in nodes]}
        return Parked(children=tuple(node.job for node in nodes if node.job), spec=spec)
    return answer(work, request, spec, nodes)


def refuse_failed(services: Services, children: Iterable[str]) -> None:
    """Raise the error of the first child that did not succeed, with the names of all of them."""
    failed = [
        job for job in services.ledger.get_many(children) if job.state in (State.FAILED, State.CANCELLED)
    ]
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


def error_of(job: Job) -> WheelyardError:
    """The error that a job ended with."""
    return from_document(job.error) if job.error else BuildFailed(f"{job.title} ended as {job.state}")


def plan(work: Work, request: BuildRequest, ready: ReadyToolchain) -> dict[str, Any]:
    """Lock the requirements, bring every sdist and build wheel into the store, and make the build keys."""
    services = work.services
    planner = Planner(work=work, ready=ready, upstream=open_upstream(services, request.channel))
    with work.phase("resolve"):
        lock = planner.resolver.resolve_requirements(request.requirements, request.constraints)
        lock_digest = keep_lock(services, lock)
    with work.phase("fetch"):
        nodes = planner.nodes(lock)
    hits = sum(node.hit for node in nodes)
    work.log.line(f"plan: {len(nodes)} wheels, {hits} in the cache, {len(nodes) - hits} to build")
    return {"lock": str(lock_digest), "image": ready.record.image, "nodes": [asdict(node) for node in nodes]}


def submit_node(work: Work, spec: dict[str, Any], nodes: list[Node], node: Node) -> Node:
    """Submit the wheel job of a node; what its check may install are the wheels of earlier rounds."""
    services, job = work.services, work.claim.job
    document = {
        "inputs": node.inputs,
        "image": spec["image"],
        "runtime": [other.key for other in nodes if other.level < node.level],
        "limits": _limits(services, BuildRequest.from_document(spec), node.project).to_document(),
    }
    submission = services.requests.wheel(
        node.key, spec=document, title=f"{node.project} {node.version}", subject=node.project,
        toolchain=job.toolchain, channel=job.channel, caller=Caller.of_job(job, services.owner),
    )  # fmt: skip
    return Node(**{**asdict(node), "job": submission.job.id})


def _limits(services: Services, request: BuildRequest, project: str) -> Limits:
    """Limits of one wheel's build: the request's win over the recipe's, those over the toolchain's."""
    settings = services.settings
    toolchain = get_toolchain(request.toolchain, settings.toolchains_dir)
    recipe = get_recipe(project, settings.recipes_dir)
    return Limits.of(settings, toolchain.limits, recipe.limits, request.limits)


def answer(work: Work, request: BuildRequest, spec: dict[str, Any], nodes: list[Node]) -> Done:
    """Show every wheel in the request's channel, and say what they are."""
    services = work.services
    records = [
        needed_record(services, node.key, of=f"{node.project} {node.version}", do="ask for the build again")
        for node in nodes
    ]
    wheels = []
    for node, record in zip(nodes, records, strict=True):
        wheel = {
            "project": node.project, "version": node.version, "filename": record.filename,
            "digest": str(record.digest), "size": record.size, "build_key": record.key, "hit": node.hit,
            "seconds": round(sum(record.seconds.values()), 3),
        }  # fmt: skip
        wheels.append(wheel)
        work.log.event("wheel", **wheel)

    shown = [keep_file(services.store, IndexFile.of_record(record, request.channel)) for record in records]

    def publish(session: Session) -> None:
        for file in shown:
            services.catalogue.add(session, file)

    result = {"lock": spec["lock"], "toolchain_image": spec["image"], "wheels": wheels, **work.times}
    return Done(result=result, publish=publish)
