"""The display for logs: a line per phase, and one every tenth of the steps or every quarter of a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TextIO

from wheelyard.answers import ChildAnswer, QueueAnswer
from wheelyard.cli.foreign_text import clean
from wheelyard.cli.progress.board import Activity, Board, clock_text
from wheelyard.event import Event
from wheelyard.sizes import size_text

_PAUSE_SECONDS = 15.0
_LONGEST_PAUSE_SECONDS = 120.0


@dataclass(slots=True)
class _Said:
    word: str = ""
    tenth: int = 0
    at: float = 0.0
    pause: float = _PAUSE_SECONDS


class PlainDisplay:
    """Lines that make sense in a file. See `Display`.

    :param stream: standard output where none is given.
    :param clock: epoch seconds.
    """

    def __init__(
        self, job_id: str, title: str, stream: TextIO | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._board = Board(job_id, title)
        self._stream = stream
        self._clock = clock
        self._begin = clock()
        self._said: dict[str, _Said] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def expect(self, parent: str, children: Sequence[ChildAnswer]) -> None:
        """See `Display.expect`."""
        self._board.expect(parent, children, self._board.now(self._clock()))

    def stand(self, job_id: str, queue: QueueAnswer | None) -> None:
        """See `Display.stand`."""
        job = self._board.stand(job_id, queue)
        if job is not None and job.state == "queued" and queue is not None and queue.place:
            self._say_where_due(job)

    def event(self, event: Event) -> None:
        """See `Display.event`."""
        job = self._board.apply(event, self._clock())
        if event.type == "wheel" and event.facts.get("hit"):
            size = size_text(int(event.facts.get("size") or 0))
            self._write(f"{event.facts.get('filename', '')}: from the cache, {size}")
            return
        self._say_where_due(job)

    def tick(self) -> None:
        """See `Display.tick`."""
        for job in self._board.active:
            self._say_where_due(job)

    def note(self, text: str) -> None:
        """See `Display.note`."""
        self._write(text)

    def _say_where_due(self, job: Activity) -> None:
        now = self._clock()
        said = self._said.setdefault(job.id, _Said())
        if job.word != said.word:
            self._said[job.id] = _Said(word=job.word, at=now)
            self._write(f"{job.title}: {job.word}{_ending(job)}")
            return
        if not job.active or self._board.waits(job):
            return
        tenth = int(job.steps.share * 10)
        if tenth > said.tenth or now - said.at >= said.pause:
            said.at = now
            self._write(f"{job.title}: {job.word}{self._amount(job)}")
            # Steps show how far it is; of a phase without any there is less and less to say.
            said.pause = _PAUSE_SECONDS if job.steps.total else min(said.pause * 2, _LONGEST_PAUSE_SECONDS)
        said.tenth = tenth

    def _amount(self, job: Activity) -> str:
        now = self._board.now(self._clock())
        if not job.steps.total:
            return f", {clock_text(now - job.phase_started)} so far"
        left = job.steps.left(now)
        rest = f", about {clock_text(left)} left" if left is not None else ""
        return f" {job.steps.done}/{job.steps.total} ({job.steps.share:.0%}){rest}"

    def _write(self, text: str) -> None:
        stream = self._stream or sys.stdout
        stream.write(f"[{clock_text(self._clock() - self._begin):>7}] {clean(text)}\n")
        stream.flush()


def _ending(job: Activity) -> str:
    if not job.over:
        return ""
    parts = [clock_text(job.ended - job.started)] if job.started else []
    if job.size:
        parts.append(size_text(job.size))
    return f" ({', '.join(parts)})" if parts else ""
