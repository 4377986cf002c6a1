"""Live events of a job: the Redis stream that carries them, and how one waits for the next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import redis
import redis.asyncio

from wheelyard.errors import QueueUnavailable
from wheelyard.event import Event, EventType, Seen
from wheelyard.outages import OUTAGES

__all__ = [
    "Appended",
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
_LOOKED_BACK = 500

# Adds numbered events of one job to one stream, at once or not at all. The hash beside the stream holds the
# number of each job's last event in it, and is lost when the stream is lost. What was lost gets its old
# id again where the stream's order allows it, for listeners go on after an id.
_APPEND = """
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
local have = redis.call('HGET', KEYS[2], ARGV[1]) or '0'
if tonumber(have) < tonumber(ARGV[2]) then return {have} end
local answer = {have}
for at = 5, #ARGV, 3 do
  local seq, id, body = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local given = ''
  if tonumber(seq) > tonumber(have) then
    if id ~= '' then
      given = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], id, 'e', body)
    end
    if id == '' or type(given) == 'table' then
      given = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', body)
    end
    have = seq
  end
  answer[#answer + 1] = given
end
if #ARGV > 4 then redis.call('HSET', KEYS[2], ARGV[1], have) end
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
answer[1] = have
return answer
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of events that were given to `EventStream.append`.

    :param last: number of the job's last event that the stream has now.
    :param ids: the entries' ids, in the order of the events; empty for one that the stream had already.
    """

    last: int
    ids: tuple[str, ...] = ()


class EventStream(Protocol):
    """Where live events go and come from; `tests/contract/test_events.py` runs on each implementation."""

    def add(self, streams: Sequence[str], event: Event) -> None:
        """Append an event to the streams of jobs; for one without a number."""

    def append(self, stream: str, job: str, events: Sequence[tuple[str, Event]], after: int) -> Appended:
        """Append numbered events of one job to one stream, oldest first; repeatable, no number twice.

        Nothing is added where the stream's last number is smaller than expected: it lost what it had, as
        the answer tells; then say again what came after that number.

        :param events: each with the id that its entry had in the stream; empty for a new one.
        :param after: number of the job's event that the stream should have at least; -1 for any.
        """

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

    async def seen(self, stream: str, upto: str) -> Seen:
        """What whoever saw a stream up to an id has seen of each job, as far as a short look back tells."""

    async def is_ahead(self, stream: str, after: str) -> bool:
        """Whether an id is greater than any that the stream will give next; no listener may wait behind it.

        Ids are times. One that is ahead of the server's clock is of a server that was replaced.
        """

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
            raise OUTAGES.noted("redis", _unavailable(error)) from error

    def append(self, stream: str, job: str, events: Sequence[tuple[str, Event]], after: int) -> Appended:
        """See `EventStream.append`.

        :raises QueueUnavailable: the server does not answer.
        """
        told = [
            part
            for entry, event in events
            for part in (event.seq, entry, json.dumps(event.to_document(), separators=(",", ":")))
        ]
        try:
            answer: Any = self._redis.eval(
                _APPEND, 2, _place(stream), f"{_place(stream)}:last",
                job, after, _KEPT_EVENTS, _KEPT_SECONDS, *told,
            )  # fmt: skip
        except redis.RedisError as error:
            raise OUTAGES.noted("redis", _unavailable(error)) from error
        last, *ids = answer
        return Appended(last=int(last), ids=tuple(ids))

    def read(self, stream: str, after: str, wait_seconds: float) -> list[tuple[str, Event]]:
        """See `EventStream.read`.

        :raises QueueUnavailable: the server does not answer.
        """
        try:
            return _events(
                self._redis.xread({_place(stream): after}, count=_BATCH, block=_block(wait_seconds))
            )
        except redis.RedisError as error:
            raise OUTAGES.noted("redis", _unavailable(error)) from error

    def check(self) -> None:
        """See `EventStream.check`."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            raise OUTAGES.noted("redis", _unavailable(error)) from error

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
            raise OUTAGES.noted("redis", _unavailable(error)) from error
        return _events(answer)

    async def seen(self, stream: str, upto: str) -> Seen:
        """See `EventListener.seen`.

        :raises QueueUnavailable: the server does not answer.
        """
        try:
            entries = await self._redis.xrevrange(_place(stream), max=upto, count=_LOOKED_BACK)
        except redis.RedisError as error:
            raise OUTAGES.noted("redis", _unavailable(error)) from error
        seen = Seen()
        for _entry, event in _parsed(reversed(entries)):
            seen.is_new(event)
        return seen

    async def is_ahead(self, stream: str, after: str) -> bool:
        """See `EventListener.is_ahead`.

        :raises QueueUnavailable: the server does not answer.
        """
        place = _number(after)
        try:
            seconds, micros = await self._redis.time()
            if place[0] <= seconds * 1000 + micros // 1000:
                return False
            newest = await self._redis.xrevrange(_place(stream), count=1)
        except redis.RedisError as error:
            raise OUTAGES.noted("redis", _unavailable(error)) from error
        return not newest or _number(newest[0][0]) < place

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
    return _parsed(next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1])


def _parsed(entries: Iterable[Any]) -> list[tuple[str, Event]]:
    return [(entry, Event.from_document(json.loads(fields["e"]))) for entry, fields in entries]


def _number(entry: str) -> tuple[int, int]:
    """An entry's id as Redis orders it: milliseconds, and a count within them."""
    millis, _, count = entry.partition("-")
    return int(millis), int(count or 0)


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
