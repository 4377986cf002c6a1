"""Addresses of jobs: the latest, one, its events, its log, and leaving it; the same for every kind."""

# No `from __future__ import annotations` here: FastAPI reads the annotations of the endpoints below, and one
# of them names a function that exists only while they are made.

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from builder_service.documents import DeliveryList, JobDocument, JobList, delivery_document, job_fields
from builder_service.live import entry_id, final_event, follow_job
from builder_service.logs import log_from, log_from_error, log_of
from builder_service.problems import responses
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity, allowed
from wheelyard.access_token import Scope
from wheelyard.errors import Conflict, NotFound, QueueUnavailable
from wheelyard.jobs.states import OF_ALL, Job, Kind, State

_ID = re.compile(r"[0-9a-f]{32}")
JobId = Annotated[
    str,
    Path(
        max_length=100,
        description="A job's id: 32 hexadecimal digits.",
        examples=["019abf2e5f7c7c3e8f0e5a1d2c3b4a59"],
    ),
]
After = Annotated[
    str, Query(max_length=64, description="Id of the last event that was seen, as `Last-Event-ID`.")
]
Waiter = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="The request that leaves, as its answer named it; without one, the latest that joined.",
    ),
]
LastEventId = Annotated[str, Header(max_length=64, description="Sent by a listener that connects again.")]

From = Annotated[
    Literal["error"] | None,
    Query(alias="from", description="`error`: from a little above the first error, where the job failed."),
]
Line = Annotated[int | None, Query(ge=1, description="Number of the own log's first line, from 1.")]


def job_routes(prefix: str, tag: str, kind: Kind | None, *, shown: bool = True) -> APIRouter:
    """The addresses of the jobs of one kind, or of any.

    :param prefix: path below which they live.
    :param kind: jobs of another kind are not found there; None for all.
    :param shown: whether the document of one job is among them; else another room answers with more.
    """
    router = APIRouter(prefix=prefix, tags=[tag])
    noun = tag.removesuffix("s")
    wanted = job_finder(kind)

    @router.get("", operation_id=f"list_{tag}", summary=f"The latest {tag}", responses=responses(422))
    def latest(
        services: Opened,
        identity: CurrentIdentity,
        limit: Annotated[int, Query(ge=1, le=500, description="Number of jobs.")] = 50,
    ) -> JobList:
        jobs = services.ledger.latest(limit, kind, identity.channels)
        places = services.places.of_all(jobs)
        return JobList(jobs=[JobDocument(**job_fields(job, places=places)) for job in jobs])

    def one(
        services: Opened,
        job: Annotated[Job, Depends(wanted)],
        transitions: Annotated[bool, Query(description="Who moved it, when and why, too.")] = False,
    ) -> JobDocument:
        children = services.ledger.get_many(job.children) if job.children else []
        moves = services.ledger.transitions(job.id) if transitions else None
        places = services.places.family(job, children)
        return JobDocument(**job_fields(job, children, moves, places))

    if shown:
        router.get(
            "/{job_id}", operation_id=f"get_{noun}", summary=f"One {noun}", responses=responses(404, 422)
        )(one)

    @router.get(
        "/{job_id}/events",
        operation_id=f"follow_{noun}",
        summary=f"Live events of one {noun}, as server-sent events",
        response_class=EventSourceResponse,
        responses=responses(404, 422),
    )
    async def events(
        services: Opened,
        job: Annotated[Job, Depends(wanted)],
        after: After = "",
        last_event_id: LastEventId = "",
    ) -> AsyncIterator[ServerSentEvent]:
        """Each message is a JSON document with `type`, `job`, `title` and `at`, and the type's own fields.

        A worker's event has a number besides, `seq`, which grows over all attempts of its `job`: one that
        is not greater than the last is a repeat. The last message is the job's own `done`, whatever becomes
        of the servers in between.
        """
        async for message in follow_job(services, job, entry_id(last_event_id or after)):
            yield message

    @router.get(
        "/{job_id}/log",
        operation_id=f"read_{noun}_log",
        summary=f"The log of one {noun}",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(404, 422)},
    )
    def log(
        services: Opened, job: Annotated[Job, Depends(wanted)], start: From = None, line: Line = None
    ) -> StreamingResponse:
        """The finished log, or what it says so far; those of the jobs that it waits for follow below.

        From an error or a line on it is one job's log: this one's, or that of the job that it failed for.
        """
        if line is not None:
            pieces = log_from(services, job, line)
        else:
            pieces = log_from_error(services, job) if start else log_of(services, job)
        return StreamingResponse(_begun(pieces), media_type="text/plain; charset=utf-8")

    @router.get(
        "/{job_id}/webhooks",
        operation_id=f"list_{noun}_webhooks",
        summary=f"Who was told of the end of one {noun}",
        responses=responses(404, 422),
    )
    def webhooks(services: Opened, job: Annotated[Job, Depends(wanted)]) -> DeliveryList:
        found = services.deliveries.of_job(job.id)
        return DeliveryList(webhooks=[delivery_document(delivery) for delivery in found])

    @router.delete(
        "/{job_id}",
        operation_id=f"cancel_{noun}",
        summary=f"Leave one {noun}; it is cancelled where nobody else waits for it",
        dependencies=[Depends(allowed(Scope.BUILD))],
        responses=responses(401, 403, 404, 409, 422),
    )
    def cancel(services: Opened, job: Annotated[Job, Depends(wanted)], waiter: Waiter = None) -> JobDocument:
        """With a waiter it is that request that leaves, and to leave twice is the same as once."""
        left = _leave(services, job, waiter)
        children = services.ledger.get_many(left.children)
        _tell_ended(services, [left, *children])
        return JobDocument(**job_fields(left, children))

    return router


def job_finder(kind: Kind | None) -> Callable[[JobId, Opened, CurrentIdentity], Job]:
    """What finds the job of an address, where its sender may see it.

    :param kind: jobs of another kind are not found; None for all.
    """

    def wanted(job_id: JobId, services: Opened, identity: CurrentIdentity) -> Job:
        if not _ID.fullmatch(job_id):
            raise NotFound(
                f"{job_id!r} is not a job's id", expected="32 hexadecimal digits", do="see `wheelyard jobs`"
            )
        job = services.ledger.get(job_id)
        if job.kind not in OF_ALL:
            identity.check_channel(job.channel)
        if kind is not None and job.kind is not kind:
            raise NotFound(f"job {job_id} is not a {kind} but a {job.kind}", do=f"see /v1/jobs/{job_id}")
        return job

    return wanted


def _leave(services: Services, job: Job, waiter: str | None) -> Job:
    if waiter and services.ledger.get_many([waiter]):
        raise Conflict(
            "a job that waits for another leaves it by its own end",
            expected="the waiter that a request's answer named",
            found=f"the id of job {waiter}",
            do=f"cancel that one: DELETE /v1/jobs/{waiter}",
        )
    try:
        return services.ledger.cancel(job.id, "api", waiter=waiter or "")
    except Conflict:
        if not waiter or services.ledger.waits(job.id, waiter):
            raise
        # It left before, and the job ended since; whoever lost our answer may ask again.
        return services.ledger.get(job.id)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, with the first one fetched now: an outage then is a problem and no broken stream."""
    return chain([next(pieces, b"")], pieces)


def _tell_ended(services: Services, jobs: list[Job]) -> None:
    """Tell the listeners of jobs that ended right now, and had no worker that would."""
    for job in jobs:
        if job.state is not State.CANCELLED or time.time() - job.ended_at > 60:
            continue
        try:
            services.events.add([job.id, *services.ledger.parents(job.id)], final_event(job))
        except QueueUnavailable:
            # Whoever follows learns it from SQL.
            return
