"""Live events of a job: the Redis stream that carries them, and how one waits for the next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import redis
import redis.asyncio

from wheelyard.errors import QueueUnavailable
from wheelyard.event import Event, EventType

__all__ = [
    "Event",
    "EventListener",
    "EventStream",
    "EventType",
    "RedisEventListener",
    "RedisEventStream",
    "follow",
]

_KEPT_EVENTS = 20_000
_KEPT_SECONDS = 24 * 3600
_BATCH = 500
_SOCKET_SECONDS = 30
_LONGEST_WAIT = 20.0
_LISTENERS = 2000


class EventStream(Protocol):
    """Where live events go and come from; `tests/contract/test_events.py` runs on each implementation."""

    def add(self, streams: Sequence[str], event: Event) -> None:
        """Append an event to the streams of jobs."""

    def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """Events of a job after an id, oldest first; waits for one, and is empty where none came in time.

        :param after: id of the last event that was seen; `0` for all.
        :param wait_seconds: at most 20; 0 looks and does not wait.
        """

    def check(self) -> None:
        """Raise `QueueUnavailable` where the server does not answer."""


class EventListener(Protocol):
    """The same streams, read by many at once without a thread for each."""

    async def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """See `EventStream.read`."""

    async def close(self) -> None:
        """Close the connections."""


class RedisEventStream:
    """Events in Redis streams; a stream's entry id is the SSE `Last-Event-ID`.

    :param url: of a Redis-protocol server.
    """

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_connect_timeout=5, socket_timeout=_SOCKET_SECONDS, decode_responses=True
        )

    def add(self, streams: Sequence[str], event: Event) -> None:
        """See `EventStream.add`.

        :raises QueueUnavailable: the server does not answer.
        """
        body = json.dumps(event.to_document(), separators=(",", ":"))
        try:
            pipe = self._redis.pipeline(transaction=False)
            for stream in streams:
                pipe.xadd(_place(stream), {"e": body}, maxlen=_KEPT_EVENTS, approximate=True)
                pipe.expire(_place(stream), _KEPT_SECONDS)
            pipe.execute()
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """See `EventStream.read`.

        :raises QueueUnavailable: the server does not answer.
        """
        try:
            return _events(
                self._redis.xread({_place(stream): after}, count=_BATCH, block=_block(wait_seconds))
            )
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def check(self) -> None:
        """See `EventStream.check`."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


class RedisEventListener:
    """The reading side of `RedisEventStream` for an event loop: one connection per listener, and no thread.

    :param url: of a Redis-protocol server.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.asyncio.Redis.from_url(
            url,
            socket_connect_timeout=5,
            socket_timeout=_SOCKET_SECONDS,
            decode_responses=True,
            max_connections=_LISTENERS,
        )

    async def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """See `EventStream.read`.

        :raises QueueUnavailable: the server does not answer.
        """
        try:
            answer = await self._redis.xread(
                {_place(stream): after}, count=_BATCH, block=_block(wait_seconds)
            )
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return _events(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _place(stream: str) -> str:
    return f"wheelyard:events:{stream}"


def _block(wait_seconds: float) -> int | None:
    # Redis reads a block of 0 as "for ever"; longer than the socket waits would be taken for a dead server.
    return int(min(wait_seconds, _LONGEST_WAIT) * 1000) or None


def _events(answer: Any) -> list[tuple[str, Event]]:
    """Entries of one stream, from RESP2's list or RESP3's mapping."""
    if not answer:
        return []
    entries = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
    return [(entry, Event.from_document(json.loads(fields["e"]))) for entry, fields in entries]


def _unavailable(error: Exception) -> QueueUnavailable:
    return QueueUnavailable(
        "Redis does not answer", found=str(error), do="see that it runs and that WHEELYARD_REDIS_URL names it"
    )


def follow(
    events: EventStream, stream: str, after: str = "0", wait_seconds: float = 15.0
) -> Iterator[tuple[str, Event] | None]:
    """A job's events until its `done`; None where nothing came for a while, so that callers can look up."""
    while True:
        batch = events.read(stream, after, wait_seconds)
        if not batch:
            yield None
        for entry, event in batch:
            after = entry
            yield entry, event
            if event.type == "done" and event.job == stream:
                return
