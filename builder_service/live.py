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
from wheelyard.event import Event, EventType, Seen
from wheelyard.job_result import told_result
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


class _Heard:
    """What a listener heard already, by the stream and by what SQL said while Redis was out."""

    def __init__(self, job: Job, seen: Seen) -> None:
        self._job = job
        self._seen = seen
        self._from_sql: set[tuple[str, str]] = set()

    def is_news(self, event: Event) -> bool:
        """Whether an event of the stream is neither a repeat nor what SQL said before."""
        if not self._seen.is_new(event):
            return False
        if event.job == self._job.id and (what := _what(event)) in self._from_sql:
            self._from_sql.remove(what)
            return False
        return True

    def note(self, event: Event) -> None:
        """Take note of an event that is told from SQL."""
        self._from_sql.add(_what(event))


async def follow_job(services: Services, job: Job, after: str) -> AsyncIterator[ServerSentEvent]:
    """Events of a job and of those that it waits for, from Redis as long as it answers, else from SQL.

    The job's state in SQL decides when it is over: a stream that expired, was lost or can't be reached lets
    no listener wait for ever. What is told from SQL has no id, so that a reconnect goes on where Redis was;
    it is not told again when Redis brings it. A stream that was lost and said again brings no repeats.

    :param after: id of the last event that the listener saw; `0` for all.
    """
    yield ServerSentEvent(comment=f"following {job.id}")
    heard = _Heard(job, await _seen(services, job, after))
    while True:
        batch = await _read(services, job, after)
        for entry, event in batch or ():
            after, last = entry, event.type == "done" and event.job == job.id
            if heard.is_news(event) or last:
                yield _message(event, entry)
            if last:
                return
        if batch:
            continue
        if job.state.ended:
            yield _message(final_event(job))
            return
        before, job = job, await _look(services, job)
        if batch is None and not job.state.ended:
            for event in _changes(before, job):
                heard.note(event)
                yield _message(event)
            await anyio.sleep(_POLL_SECONDS)
        elif batch is not None and await _is_ahead(services, job, after):
            after = "0"


async def _read(services: Services, job: Job, after: str) -> list[tuple[str, Event]] | None:
    """The next events; none yet is an empty list, and None means that Redis does not answer."""
    try:
        return await services.listener.read(job.id, after, 0.0 if job.state.ended else _LOOK_SECONDS)
    except QueueUnavailable:
        return None


async def _seen(services: Services, job: Job, after: str) -> Seen:
    """What the listener saw before it came."""
    try:
        return Seen() if after == "0" else await services.listener.seen(job.id, after)
    except QueueUnavailable:
        return Seen()


async def _is_ahead(services: Services, job: Job, after: str) -> bool:
    """Whether the listener would wait for ever, since the stream begins anew with smaller ids."""
    try:
        return after != "0" and await services.listener.is_ahead(job.id, after)
    except QueueUnavailable:
        return False


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


def _what(event: Event) -> tuple[str, str]:
    """What an event of a change says, whoever says it."""
    return event.type, str(event.facts.get("state") or event.facts.get("name"))


def final_event(job: Job) -> Event:
    """The `done` of a job that ended, as SQL knows it."""
    outcome = {"result": told_result(job.result)} if job.error is None else {"error": job.error}
    return Event(
        type="done", job=job.id, title=job.title, at=job.ended_at, facts={"state": job.state.value, **outcome}
    )


def _message(event: Event, entry: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(
        raw_data=json.dumps(event.to_document(), separators=(",", ":")), event=event.type, id=entry
    )
