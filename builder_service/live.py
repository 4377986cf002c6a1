"""A job's live events as server-sent events, which always end with the job's `done`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator

import anyio
from anyio import to_thread
from fastapi.sse import ServerSentEvent

from builder_service.services import Services
from wheelyard.errors import QueueUnavailable, WheelyardError
from wheelyard.event import Event, EventType
from wheelyard.jobs.states import Job

_ENTRY = re.compile(r"([0-9]{1,20})(-([0-9]{1,20}))?")
_LOOK_SECONDS = 5.0
_POLL_SECONDS = 1.0


def entry_id(text: str) -> str:
    """The id of a stream's entry, or `0` (from the beginning) where the text is none."""
    match = _ENTRY.fullmatch(text.strip())
    if match is None or max(int(match[1]), int(match[3] or 0)) >= 1 << 64:
        return "0"
    return match[0]


async def follow_job(services: Services, job: Job, after: str) -> AsyncIterator[ServerSentEvent]:
    """Events of a job and of those that it waits for, from Redis as long as it answers, else from SQL.

    The job's state in SQL decides when it is over: a stream that expired, was lost or can't be reached lets
    no listener wait for ever. What is told from SQL has no id, so that a reconnect goes on where Redis was.

    :param after: id of the last event that the listener saw; `0` for all.
    """
    yield ServerSentEvent(comment=f"following {job.id}")
    while True:
        batch = await _read(services, job, after)
        for entry, event in batch or ():
            after = entry
            yield _message(event, entry)
            if event.type == "done" and event.job == job.id:
                return
        if batch:
            continue
        if job.state.ended:
            yield _message(final_event(job))
            return
        before, job = job, await _look(services, job)
        if batch is None and not job.state.ended:
            for event in _changes(before, job):
                yield _message(event)
            await anyio.sleep(_POLL_SECONDS)


async def _read(services: Services, job: Job, after: str) -> list[tuple[str, Event]] | None:
    """The next events; none yet is an empty list, and None means that Redis does not answer."""
    try:
        return await services.listener.read(job.id, after, 0.0 if job.state.ended else _LOOK_SECONDS)
    except QueueUnavailable:
        return None


async def _look(services: Services, job: Job) -> Job:
    """The job as it stands now; as it stood where the database is out, too, for then we look again soon."""
    try:
        return await to_thread.run_sync(services.ledger.get, job.id)
    except WheelyardError:
        return job


def _changes(before: Job, job: Job) -> Iterator[Event]:
    def event(kind: EventType, **facts: str) -> Event:
        return Event(type=kind, job=job.id, title=job.title, at=time.time(), facts=dict(facts))

    if job.state is not before.state:
        yield event("state", state=job.state.value)
    if job.phase != before.phase:
        yield event("phase", name=job.phase)


def final_event(job: Job) -> Event:
    """The `done` of a job that ended, as SQL knows it."""
    outcome = {"result": job.result} if job.error is None else {"error": job.error}
    return Event(
        type="done", job=job.id, title=job.title, at=job.ended_at, facts={"state": job.state.value, **outcome}
    )


def _message(event: Event, entry: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(
        raw_data=json.dumps(event.to_document(), separators=(",", ":")), event=event.type, id=entry
    )
