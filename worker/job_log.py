"""A job's log: bounded, cleaned of control characters, live on the event stream and kept whole as gzip."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from wheelyard.digests import Digest
from wheelyard.errors import QueueUnavailable, WheelyardError
from wheelyard.event import Event, EventType
from wheelyard.events import EventStream
from wheelyard.store.contract import Store

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]")
_STEP = re.compile(r"^\[\s*(\d+)/(\d+)\]\s*(.*)")
_PERCENT = re.compile(r"^\[\s*(\d+)%\]\s*(.*)")
_MAX_LINE = 4000
_LINES_PER_SECOND = 200

logger = structlog.get_logger("worker.log")


def step_of(line: str) -> tuple[int, int, str] | None:
    """Ninja's or make's own count of steps in a line: (done, total, text); None where it has none.

    Ninja, which meson and scikit-build run, writes `[12/474] text`; CMake's makefiles write `[ 12%] text`.
    """
    if found := _STEP.match(line):
        done, total = int(found[1]), int(found[2])
        return (done, total, found[3]) if total > 0 and done <= total else None
    if found := _PERCENT.match(line):
        return (int(found[1]), 100, found[2]) if int(found[1]) <= 100 else None
    return None


class JobLog:
    """Takes what a job says. Redis may be out: then nobody listens live, and the job goes on.

    :param streams: gives the ids of the streams that hear this job: its own and its parents'.
    :param path: file that the log is written to, gzip.
    :param limit: bytes of text that are kept; the rest is counted only.
    """

    def __init__(
        self,
        events: EventStream,
        *,
        job: str,
        title: str,
        streams: Callable[[], Sequence[str]],
        path: Path,
        limit: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = events
        self._job = job
        self._title = title
        self._streams = streams
        self._path = path
        self._limit = limit
        self._clock = clock
        self._file = gzip.GzipFile(filename=str(path), mode="wb", compresslevel=6, mtime=0)
        self._kept = 0
        self._left_out = 0
        self._lock = threading.Lock()
        self._heard: tuple[float, Sequence[str]] = (-10.0, ())
        self._second = (0, 0)
        self._deaf_until = 0.0
        self.tail: deque[str] = deque(maxlen=4000)
        self._digest: str | None = None

    def line(self, text: str) -> None:
        """One line of output, of ours or foreign; cleaned, kept, and sent to listeners at a bounded rate."""
        clean = _CONTROL.sub("", text.rpartition("\r")[2] if "\r" in text.rstrip("\r") else text)[:_MAX_LINE]
        with self._lock:
            self.tail.append(clean)
            body = clean.encode(errors="replace") + b"\n"
            if self._digest is None and self._kept + len(body) <= self._limit:
                self._file.write(body)
                self._kept += len(body)
            elif self._digest is None:
                self._left_out += 1
        if step := step_of(clean):
            self._send("step", done=step[0], total=step[1], text=step[2])
        elif self._within_rate():
            self._send("line", text=clean)

    def event(self, type_: EventType, **facts: object) -> None:
        """An event of another type than `line` and `step`."""
        if type_ == "phase" and self._digest is None:
            with self._lock:
                self._file.write(f"==> {facts['name']}\n".encode())
        self._send(type_, **facts)

    def close(self, store: Store) -> str:
        """End the log and keep it; returns its digest as text, empty where the store is out. Repeatable."""
        with self._lock:
            if self._digest is not None:
                return self._digest
            if self._left_out:
                self._file.write(
                    f"({self._left_out} further lines were left out: the log is full)\n".encode()
                )
            self._file.close()
            digest = Digest.of_file(self._path)
            try:
                store.put_blob(self._path, digest)
                self._digest = str(digest)
            except WheelyardError as error:
                logger.warning("the log could not be kept", job=self._job, error=error.failed)
                self._digest = ""
            return self._digest

    def _within_rate(self) -> bool:
        second = int(self._clock())
        count = self._second[1] + 1 if self._second[0] == second else 1
        self._second = (second, count)
        return count <= _LINES_PER_SECOND

    def _send(self, type_: EventType, **facts: object) -> None:
        now = self._clock()
        if now < self._deaf_until:
            return
        try:
            # A parent may join at any time; asking SQL for every line would be too much.
            if now - self._heard[0] > 1.0 or type_ in ("done", "phase"):
                self._heard = (now, (self._job, *self._streams()))
            event = Event(type=type_, job=self._job, title=self._title, at=now, facts=dict(facts))
            self._events.add(self._heard[1], event)
        except QueueUnavailable as error:
            self._deaf_until = now + 5.0
            logger.warning("live events are not heard", job=self._job, error=error.found)
