"""A job's log: bounded, clean and without secrets; live on the event streams, kept as gzip in the store."""

from __future__ import annotations

import re
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.event import EventType
from wheelyard.events import EventStream
from wheelyard.foreign_text import clean
from wheelyard.store.contract import Store
from worker.kept_log import KeptLog
from worker.live_feed import LiveFeed
from worker.redaction import Redaction

_STEP = re.compile(r"^\[\s*(\d{1,9})/(\d{1,9})\]\s*(.*)")
_PERCENT = re.compile(r"^\[\s*(\d{1,3})%\]\s*(.*)")
_STEP_STARTS = frozenset({"[", "\x1b"})
_MAX_LINE = 4000
_PART = 64 << 10
_TAIL_LINES = 4000
_PATIENCE_SECONDS = 2.0
_GOES_ON = frozenset({"building", "publishing"})
Failure = TypeVar("Failure", bound=WheelyardError)

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
    """Takes what a job says, from any thread. Redis may be out: then it is told later, and the job goes on.

    :param streams: gives the ids of the jobs that wait for this one; their streams hear it, too.
    :param path: file that the log is written to, gzip.
    :param limit: bytes of text that are kept.
    :param attempt: number of the job's claim; numbers of a later one's events are greater.
    :param redaction: the secrets that must not come up.
    :param clock: epoch seconds.
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
        attempt: int = 0,
        redaction: Redaction | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._job = job
        self._path = path
        self._redaction = redaction or Redaction()
        shown = _Shown(self._redaction)
        self._kept = KeptLog(path, limit, shown)
        self._feed = LiveFeed(
            events, job=job, title=title, streams=streams, attempt=attempt, shown=shown, clock=clock
        )
        # A job that is given up says no last word; then its log just goes away, and the feed with it.
        weakref.finalize(self, self._feed.end)
        self._lock = threading.Lock()
        self._goes_on = False
        self._broken = False
        self._digest: str | None = None

    @property
    def tail(self) -> Sequence[str]:
        """The last lines as they are kept, oldest first."""
        with self._lock:
            return self._kept.last(_TAIL_LINES)

    @property
    def left_out(self) -> int:
        """Lines that the kept log lacks; known once it is closed."""
        return self._kept.left_out

    def line(self, text: str) -> None:
        """One line of output, of ours or foreign; cleaned, kept, and told to listeners at a bounded rate.

        A line of 64 KiB is taken for the first part of a longer one, whose rest is passed over: no more than
        its first 4,000 characters are kept anyway.
        """
        if "\n" in text:
            for part in text.split("\n"):
                self.line(part)
            return
        with self._lock:
            part_of_longer, self._goes_on = self._goes_on, len(text) >= _PART
            if part_of_longer:
                return
            self._keep(text)
            if text[:1] in _STEP_STARTS and (step := step_of(clean(text) if text[0] == "\x1b" else text)):
                self._feed.step(*step)
            else:
                self._feed.line(text)

    def event(self, type_: EventType, **facts: object) -> None:
        """An event of another type than `line` and `step`."""
        if type_ == "phase":
            with self._lock:
                self._keep(f"==> {facts['name']}")
        self._feed.say(type_, **self._redaction.hide_document(facts))
        if type_ == "done" or (type_ == "state" and facts.get("state") not in _GOES_ON):
            # The worker may end right after the job; what it said last should be heard.
            self._feed.flush(_PATIENCE_SECONDS)
            self._feed.end()

    def flush(self, seconds: float = _PATIENCE_SECONDS) -> bool:
        """Wait until listeners have everything; whether they do.

        :param seconds: at the most.
        """
        return self._feed.flush(seconds)

    def close(self, store: Store) -> str:
        """End the log and keep it; returns its digest as text, empty where that failed. Repeatable."""
        return self._close(store, None)[0]

    def close_failed(self, store: Store, error: Failure) -> tuple[str, Failure]:
        """End the log of a job that failed with the error, and keep it.

        :returns: the log's digest as `close` does, and the error without secrets; its fact `log_line` is the
            number, from 1, of the line in the kept log at which a reader should begin.
        """
        told = self._redaction.hide_error(error)
        self.line(f"failed: {told}")
        # A child's error names a line of the child's log.
        wanted = "" if "failed_job" in told.facts else str(told.facts.get("first_error", ""))
        digest, line = self._close(store, wanted or f"failed: {told.failed}")
        if line and "failed_job" not in told.facts:
            told = self._redaction.hide_error(told, log_line=line)
        return digest, told

    def _keep(self, text: str) -> None:
        if self._digest is not None or self._broken:
            return
        try:
            self._kept.add(text)
        except OSError as error:
            # A full disk ends a build where it needs the disk, and not for its log.
            self._broken = True
            logger.warning("the log can't be written", job=self._job, error=str(error))

    def _close(self, store: Store, wanted: str | None) -> tuple[str, int]:
        with self._lock:
            if self._digest is not None:
                return self._digest, 0
            self._digest, line = "", 0
            is_wanted = None if wanted is None else _holder_of(wanted)
            try:
                line = self._kept.close(is_wanted)
                if not self._broken:
                    digest = Digest.of_file(self._path)
                    store.put_blob(self._path, digest)
                    self._digest = str(digest)
            except (WheelyardError, OSError) as error:
                logger.warning("the log could not be kept", job=self._job, error=str(error))
            return self._digest, line


def _holder_of(wanted: str) -> Callable[[str], bool]:
    # What was diagnosed may be cut; and a text of several lines begins in the wanted one.
    start = clean(wanted.split("\n", 1)[0]).strip()[:400]
    return lambda line: start in line


class _Shown:
    """Makes raw output what is shown: cleaned, without secrets, and not too long."""

    def __init__(self, redaction: Redaction) -> None:
        self._hide = redaction.hide

    def __call__(self, raw: str) -> str:
        # A secret may hold what cleaning changes, and may be split by what cleaning takes out.
        shown = clean(self._hide(raw))
        if shown is not raw:
            shown = self._hide(shown)
        if len(shown) > _MAX_LINE:
            return f"{shown[:_MAX_LINE]}… ({len(shown) - _MAX_LINE} more characters)"
        return shown
