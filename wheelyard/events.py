"""Live events of a job: what they say, and the Redis stream that carries them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import redis

from wheelyard.errors import QueueUnavailable
from wheelyard.event import Event, EventType

__all__ = ["Event", "EventStream", "EventType", "RedisEventStream", "follow"]

_KEPT_EVENTS = 20_000
_KEPT_SECONDS = 24 * 3600


class EventStream(Protocol):
    """Where live events go and come from; `tests/contract/test_events.py` runs on each implementation."""

    def add(self, streams: Sequence[str], event: Event) -> None:
        """Append an event to the streams of jobs."""

    def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """Events of a job after an id (`0` for all), waiting for the first; an empty list where none came in time."""

    def check(self) -> None:
        """Raise `QueueUnavailable` where the server does not answer."""


class RedisEventStream:
    """Events in Redis streams; a stream's entry id is the SSE `Last-Event-ID`.

    :param url: of a Redis-protocol server.
    """

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=30, decode_responses=True)

    def add(self, streams: Sequence[str], event: Event) -> None:
        """See `EventStream.add`.

        :raises QueueUnavailable: the server does not answer.
        """
        body = json.dumps(event.to_document(), separators=(",", ":"))
        try:
            pipe = self._redis.pipeline(transaction=False)
            for stream in streams:
                name = f"wheelyard:events:{stream}"
                pipe.xadd(name, {"e": body}, maxlen=_KEPT_EVENTS, approximate=True)
                pipe.expire(name, _KEPT_SECONDS)
            pipe.execute()
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """See `EventStream.read`.

        :raises QueueUnavailable: the server does not answer.
        """
        name = f"wheelyard:events:{stream}"
        try:
            answer: Any = self._redis.xread({name: after}, count=500, block=max(1, int(wait_seconds * 1000)))
        except redis.RedisError as error:
            raise _unavailable(error) from error
        entries = next(iter(answer.values()), [[]])[0] if isinstance(answer, dict) else (answer[0][1] if answer else [])
        return [(entry, Event.from_document(json.loads(fields["e"]))) for entry, fields in entries]

    def check(self) -> None:
        """See `EventStream.check`."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            raise _unavailable(error) from error


def _unavailable(error: Exception) -> QueueUnavailable:
    return QueueUnavailable(
        "Redis does not answer", found=str(error), do="see that it runs and that WHEELYARD_REDIS_URL names it"
    )


def follow(events: EventStream, stream: str, after: str = "0", wait_seconds: float = 15.0) -> Iterator[tuple[str, Event] | None]:
    """A job's events until its `done`; yields None whenever nothing came for a while, so that callers can look up."""
    while True:
        batch = events.read(stream, after, wait_seconds)
        if not batch:
            yield None
        for entry, event in batch:
            after = entry
            yield entry, event
            if event.type == "done" and event.job == stream:
                return
