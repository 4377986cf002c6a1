"""A job's live events on their way to the streams: numbered, thinned, and said again where they were lost."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import structlog

from wheelyard.errors import QueueUnavailable, WheelyardError
from wheelyard.event import Event, EventType
from wheelyard.events import EventStream
from worker.thinning import Thinning

ATTEMPT = 10**9
"""Numbers of one attempt's events: a job's later attempts number theirs above."""
_KEPT_EVENTS = 10_000
_KEPT_BYTES = 8 << 20
_JOINED = 500
_BATCH = 200
_GATHER_SECONDS = 0.05
_TICK_SECONDS = 0.5
_LOOK_SECONDS = 5.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_LAST_TRIES_SECONDS = 120.0

logger = structlog.get_logger("worker.log")


@dataclass(slots=True, kw_only=True)
class _Said:
    """An event, and the ids of its entries by stream."""

    event: Event
    size: int
    ids: dict[str, str] = field(default_factory=dict)


class LiveFeed:
    """Sends events from a thread of its own, so that no outage of Redis ever holds up a build.

    The latest events are kept with the ids that their entries got. A stream that lost what it had, since
    Redis restarted empty, gets them again, under the same ids where its order allows that; what was said
    while Redis was out is sent when it is back. What had to be let go is told as lines only in the log.

    :param streams: gives the ids of the jobs that wait for this one.
    :param attempt: number of the job's claim.
    :param shown: makes raw output what listeners get.
    :param clock: epoch seconds.
    """

    def __init__(
        self,
        events: EventStream,
        *,
        job: str,
        title: str,
        streams: Callable[[], Sequence[str]],
        attempt: int,
        shown: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = events
        self._job = job
        self._title = title
        self._streams = streams
        self._shown = shown
        self._clock = clock
        self._thinning = Thinning()
        self._base = self._seq = attempt * ATTEMPT
        self._recent: deque[_Said] = deque()
        self._recent_size = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._hurried = self._over = self._out = False
        # Up to this number every stream has all.
        self._told = self._base
        # What follows belongs to the thread alone.
        self._have: dict[str, int] = {}
        self._listeners: tuple[float, tuple[str, ...]] = (-1e9, (job,))

    # -- what the job says -----------------------------------------------------------------------------

    def line(self, raw: str) -> None:
        """A line of output; told to listeners at a bounded rate. One thread at a time may call it."""
        now = self._clock()
        if now < self._thinning.full_until:
            # Most lines of a flood end here, so there is no lock before it.
            self._thinning.skip()
            return
        with self._changed:
            self._release(now, due=False)
            if self._thinning.takes_line(now):
                self._say("line", now, text=self._shown(raw))
            else:
                self._thinning.skip()

    def step(self, done: int, total: int, raw: str) -> None:
        """A count of a build tool; told at a bounded rate, the last one always."""
        now = self._clock()
        with self._changed:
            self._release(now, due=False)
            if self._thinning.takes_step(now, (done, total, raw)):
                self._say("step", now, done=done, total=total, text=self._shown(raw))

    def say(self, type_: EventType, **facts: Any) -> None:
        """An event of any other type; it is always told."""
        now = self._clock()
        with self._changed:
            self._release(now, due=True)
            self._say(type_, now, **facts)

    def flush(self, seconds: float) -> bool:
        """Wait until all streams have everything; at once where Redis is known to be out.

        :param seconds: at the most.
        :returns: whether they have.
        """
        with self._changed:
            self._release(self._clock(), due=True)
            self._hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._out or self._is_told(), seconds)
            return self._is_told()

    def end(self) -> None:
        """Nothing more will be said; the thread ends when all is told, or after some more tries."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    # -- under the lock --------------------------------------------------------------------------------

    def _release(self, now: float, *, due: bool) -> None:
        """Tell what was held back, where a second is over or something else follows."""
        step, skipped = self._thinning.release(now, due=due)
        if skipped:
            self._say("line", now, text=_only_in_log(skipped), skipped=skipped)
        if step:
            self._say("step", now, done=step[0], total=step[1], text=self._shown(step[2]))

    def _say(self, type_: EventType, now: float, **facts: Any) -> None:
        self._seq += 1
        event = Event(type=type_, job=self._job, title=self._title, at=now, seq=self._seq, facts=facts)
        said = _Said(event=event, size=200 + len(str(facts.get("text", ""))))
        self._recent.append(said)
        self._recent_size += said.size
        while len(self._recent) > _KEPT_EVENTS or (self._recent_size > _KEPT_BYTES and len(self._recent) > 1):
            self._recent_size -= self._recent.popleft().size
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=f"feed-{self._job}", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _is_told(self) -> bool:
        return self._told >= self._seq

    def _next(self, stream: str) -> tuple[list[_Said], int]:
        """What a stream lacks, at most a batch of it, and the number that it should have already."""
        with self._changed:
            have = self._have.get(stream, -1)
            first = self._recent[0].event.seq if self._recent else self._seq + 1
            skip = max(0, max(have, self._base) + 1 - first)
            if have < 0 and stream != self._job:
                # A job that came to wait for this one later: what happened lately is enough for it.
                skip = max(0, len(self._recent) - _JOINED)
            batch = list(islice(self._recent, skip, skip + _BATCH))
            lost = first - 1 - max(have, self._base)
        if have >= 0 and lost > 0 and batch:
            batch.insert(0, self._gap(first - 1, lost, batch[0].event.at))
        return batch, have

    def _gap(self, seq: int, lost: int, at: float) -> _Said:
        """What stands for events that were let go: it has the number of the last of them, so no new one."""
        event = Event(
            type="line", job=self._job, title=self._title, at=at, seq=seq,
            facts={"text": _only_in_log(lost), "skipped": lost},
        )  # fmt: skip
        return _Said(event=event, size=0)

    # -- the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause, looked, over_since = _FIRST_PAUSE, time.monotonic(), 0.0
        while True:
            with self._changed:
                if not self._is_told() and not self._hurried:
                    self._changed.wait_for(lambda: self._hurried, _GATHER_SECONDS)
                elif self._is_told() and not self._over:
                    self._changed.wait_for(lambda: not self._is_told() or self._over, _TICK_SECONDS)
                self._hurried = False
                self._release(self._clock(), due=self._over)
                over, told = self._over, self._is_told()
            look = time.monotonic() - looked > _LOOK_SECONDS
            if over:
                over_since = over_since or time.monotonic()
                if told or time.monotonic() - over_since > _LAST_TRIES_SECONDS:
                    return
            if told and not look:
                continue
            try:
                self._tell_all()
            except QueueUnavailable as error:
                if not self._out:
                    logger.warning("live events are not heard", job=self._job, error=error.found)
                self._note_out(True)
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                looked, pause = time.monotonic(), _FIRST_PAUSE
                self._note_out(False)

    def _note_out(self, out: bool) -> None:
        with self._changed:
            self._out = out
            self._changed.notify_all()

    def _tell_all(self) -> None:
        with self._changed:
            # What is said meanwhile may reach one stream and not the one that was told before it.
            upto = self._seq
        for stream in self._heard_by():
            while self._tell(stream):
                pass
        with self._changed:
            self._told = upto
            self._changed.notify_all()

    def _tell(self, stream: str) -> bool:
        """One batch, or a look at whether the stream still has what it had; whether there may be more."""
        batch, have = self._next(stream)
        entries = [(said.ids.get(stream, ""), said.event) for said in batch]
        answer = self._events.append(stream, self._job, entries, have)
        with self._changed:
            for said, entry in zip(batch, answer.ids, strict=False):
                if entry:
                    said.ids[stream] = entry
        self._have[stream] = max(answer.last, 0)
        if answer.last < have:
            logger.warning("a stream of live events was lost", job=self._job, stream=stream)
            return True
        return len(batch) >= _BATCH

    def _heard_by(self) -> tuple[str, ...]:
        """The job's own stream and its parents'; who waits may change at any time."""
        with self._changed:
            fresh = bool(self._recent) and self._recent[-1].event.type in ("done", "phase", "state")
        if fresh or time.monotonic() - self._listeners[0] > 1.0:
            try:
                self._listeners = (time.monotonic(), (self._job, *self._streams()))
            except WheelyardError as error:
                logger.warning("who waits for a job is not known now", job=self._job, error=error.failed)
        return self._listeners[1]


def _only_in_log(count: int) -> str:
    return f"… {count} lines only in the log" if count > 1 else "… 1 line only in the log"
