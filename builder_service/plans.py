"""Addresses of plans: the graph of the wheels that a request needs, as data and as a picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from builder_service.documents import JobDocument, job_fields
from builder_service.jobs import job_finder
from builder_service.problems import responses
from builder_service.services import Opened, Services
from wheelyard.errors import NotFound
from wheelyard.job_place import place_of
from wheelyard.jobs.states import Job, Kind, queue_of
from wheelyard.plan import Plan, PlanNode, Role, Standing
from wheelyard.plan_outlook import Outlook, brought_up_to_date, count_standings, outlook
from wheelyard.plan_picture import plan_picture

SVG = "image/svg+xml"
router = APIRouter(prefix="/v1/plans", tags=["plans"])
Workers = Annotated[
    int,
    Query(ge=0, le=1000, description="Builds at the same time; 0 for as many as the live workers can do."),
]


class EstimateDocument(BaseModel):
    """How long the rest is likely to take."""

    seconds: float = Field(description="Of all builds that are left, one after the other.")
    workers: int = Field(description="Builds at the same time that the end is reckoned for.")
    end_seconds: float = Field(description="Until the last of them ends, with so many workers.")
    path: list[str] = Field(description="Ids of the chain that the end waits for longest.")
    path_seconds: float = Field(description="That this chain takes, however many workers there are.")


class PlanLinks(BaseModel):
    """Addresses below the service's own; empty where there is nothing yet."""

    job: str = Field(description="The job that builds it.")
    log: str
    wheel: str = Field(description="The record of the wheel: every input.")


class NodeDocument(BaseModel):
    """One wheel of a plan, or one native artifact."""

    id: str = Field(description="`numpy==2.4.6`, unique in the plan.")
    project: str
    version: str
    role: Role
    standing: Standing = Field(description="As its job stands now.")
    key: str = Field(description="Its build key; empty until all of its inputs are known.")
    build_needs: list[str] = Field(description="Ids of what must be there before it is compiled.")
    run_needs: list[str] = Field(description="Ids of what its check installs beside it.")
    seconds: float = Field(description="Estimate of its own build; 0 for a hit.")
    path_seconds: float = Field(description="Estimate to the end of the longest chain that needs it.")
    reason: str = Field(description="Why it failed or is blocked.")
    job: str = Field(description="Id of its job; empty for a hit, and before it is submitted.")
    filename: str = Field(description="Of its wheel, once that is there.")
    digest: str = Field(description="Of its wheel, once that is there.")
    inputs: dict[str, Any] | None = Field(description="What the key covers; null where it was not asked for.")
    links: PlanLinks


class GraphDocument(BaseModel):
    """The nodes, each behind those that it needs."""

    toolchain: str
    image: str = Field(description="Digest of the toolchain's compile image.")
    build_deps: str = Field(description="Where build requirements come from: `wheels` or `source`.")
    lock: str = Field(description="Digest of the lock.")
    counts: dict[Standing, int] = Field(description="Nodes of each standing.")
    estimate: EstimateDocument
    nodes: list[NodeDocument]
    picture: str = Field(description="Address of the graph as SVG.")


class PlanDocument(JobDocument):
    """A job and its plan: what is there, what is built, and what can't be."""

    plan: GraphDocument | None = Field(description="Null until the requirements are resolved.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job that has a plan, and the plan as it stands now; None while there is none."""

    job: Job
    plan: Plan | None
    nodes: dict[str, Job]

    def outlook(self, services: Services, workers: int = 0) -> Outlook | None:
        """What is left of it.

        :param workers: 0 for as many as live workers can do, one at the least.
        """
        if self.plan is None:
            return None
        now = time.time()
        queue = queue_of(Kind.WHEEL, self.plan.toolchain)
        slots = workers or max(1, services.ledger.live_slots(queue, now))
        begun = {
            node.id: now - job.started_at
            for node in self.plan
            if (job := self.nodes.get(node.job)) is not None and job.started_at and not job.state.ended
        }
        return outlook(self.plan, slots, begun)


def planned_job(services: Services, job: Job) -> PlannedJob:
    """The plan of a job; an image's is that of its build.

    :raises NotFound: a job of that kind has none.
    """
    if job.kind is Kind.IMAGE:
        build = str(job.spec.get("build_job") or "")
        job = next(iter(services.ledger.get_many([build])), job) if build else job
    if job.kind not in (Kind.PLAN, Kind.BUILD, Kind.IMAGE):
        raise NotFound(
            f"job {job.id} is a {job.kind} and has no plan",
            expected="a plan, a build or an image",
            do="see `wheelyard jobs`",
        )
    document = (job.result or {}).get("plan") or job.spec.get("plan")
    if job.kind is Kind.IMAGE or document is None:
        return PlannedJob(job=job, plan=None, nodes={})
    plan = Plan.from_document(document)
    jobs = {one.id: one for one in services.ledger.get_many({node.job for node in plan if node.job})}
    return PlannedJob(job=job, plan=brought_up_to_date(plan, job, jobs), nodes=jobs)


def picture_of(planned: PlannedJob, view: Outlook | None) -> str:
    """The picture of a plan.

    :raises NotFound: there is none yet.
    """
    if planned.plan is None:
        raise NotFound(
            f"job {planned.job.id} has no plan yet",
            found=planned.job.phase or planned.job.state,
            do="ask again when its requirements are resolved",
        )
    path = frozenset(view.path if view is not None else ())
    return plan_picture(planned.plan, title=planned.job.title, path=path)


@router.get("/{job_id}", operation_id="get_plan", summary="One plan", responses=responses(403, 404, 422))
def one(
    services: Opened,
    job: Annotated[Job, Depends(job_finder(None))],
    workers: Workers = 0,
    inputs: Annotated[bool, Query(description="What each node's key covers, too.")] = False,
) -> PlanDocument:
    """Of a plan, or of a build or image by its id, while it runs and after its end."""
    planned = planned_job(services, job)
    own = planned.job
    children = services.ledger.get_many(own.children) if own.children else []
    fields = job_fields(own, children, places=services.places.family(own, children))
    view = planned.outlook(services, workers)
    if planned.plan is None or view is None:
        return PlanDocument(**fields, plan=None)
    return PlanDocument(**fields, plan=_graph(planned, planned.plan, view, inputs=inputs))


@router.get(
    "/{job_id}/plan.svg",
    operation_id="draw_plan",
    summary="One plan as a picture",
    response_class=Response,
    responses={200: {"content": {SVG: {"schema": {"type": "string"}}}}, **responses(403, 404, 422)},
)
def picture(services: Opened, job: Annotated[Job, Depends(job_finder(None))]) -> Response:
    """From left to right: what is needed first, then what needs it. Colours and frames say how far it is."""
    planned = planned_job(services, job)
    drawn = picture_of(planned, planned.outlook(services))
    return Response(
        drawn,
        media_type=SVG,
        headers={
            "Cache-Control": "no-cache",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _graph(planned: PlannedJob, plan: Plan, view: Outlook, *, inputs: bool) -> GraphDocument:
    return GraphDocument(
        toolchain=plan.toolchain,
        image=plan.image,
        build_deps=plan.build_deps,
        lock=plan.lock,
        counts=count_standings(plan),
        estimate=EstimateDocument(
            seconds=view.seconds,
            workers=view.workers,
            end_seconds=view.end_seconds,
            path=list(view.path),
            path_seconds=view.path_seconds,
        ),
        nodes=[_node(node, planned.nodes.get(node.job), inputs=inputs) for node in plan],
        picture=f"/v1/plans/{planned.job.id}/plan.svg",
    )


def _node(node: PlanNode, job: Job | None, *, inputs: bool) -> NodeDocument:
    place = "" if job is None else place_of(job)
    recorded = node.standing.is_there and bool(node.key) and node.role is not Role.NATIVE
    return NodeDocument(
        id=node.id,
        project=node.project,
        version=node.version,
        role=node.role,
        standing=node.standing,
        key=node.key,
        build_needs=list(node.build_needs),
        run_needs=list(node.run_needs),
        seconds=node.seconds,
        path_seconds=node.path_seconds,
        reason=node.reason,
        job=node.job,
        filename=node.filename,
        digest=node.digest,
        inputs=node.inputs if inputs else None,
        links=PlanLinks(
            job=place,
            log=f"{place}/log" if place else "",
            wheel=f"/v1/wheels/{node.key}" if recorded else "",
        ),
    )
