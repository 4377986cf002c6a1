"""The live display: a line per active job with its steps and the time left, and one for the whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from wheelyard.answers import ChildAnswer, QueueAnswer
from wheelyard.cli.foreign_text import clean
from wheelyard.cli.progress.board import Activity, Board, clock_text
from wheelyard.cli.queue_text import about_text
from wheelyard.event import Event
from wheelyard.sizes import size_text

_REFRESHES_PER_SECOND = 8
_NARROW = 70
_STATE_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}


class TtyDisplay:
    """Draws on a terminal, and leaves a line behind for each job that ended. See `Display`.

    :param console: standard output's where none is given.
    :param clock: epoch seconds.
    """

    def __init__(
        self, job_id: str, title: str, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._board = Board(job_id, title)
        self._clock = clock
        self._begin = clock()
        self._console = console or Console(highlight=False)
        self._fancy = not self._console.options.ascii_only
        self._lock = threading.Lock()
        self._spinner = Spinner("dots" if self._fancy else "line")
        self._reported: set[str] = {job_id}
        self._trouble = ""
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def expect(self, parent: str, children: Sequence[ChildAnswer]) -> None:
        """See `Display.expect`."""
        with self._lock:
            self._board.expect(parent, children, self._board.now(self._clock()))

    def stand(self, job_id: str, queue: QueueAnswer | None) -> None:
        """See `Display.stand`."""
        with self._lock:
            self._board.stand(job_id, queue)

    def event(self, event: Event) -> None:
        """See `Display.event`."""
        with self._lock:
            job = self._board.apply(event, self._clock())
        if event.type == "wheel" and event.facts.get("hit"):
            self._leave(
                "succeeded",
                Text.assemble(clean(str(event.facts.get("filename", ""))), ("  from the cache", "dim")),
            )
        elif job.over and job.id not in self._reported:
            self._reported.add(job.id)
            self._leave(job.state, _ended_text(job))

    def tick(self) -> None:
        """See `Display.tick`; the drawing has a thread of its own."""

    def note(self, text: str) -> None:
        """See `Display.note`."""
        self._console.print(Text(clean(text), style="yellow"))

    def _leave(self, state: str, text: Text) -> None:
        mark = (
            {"succeeded": "✓", "failed": "✗"}.get(state, "-")
            if self._fancy
            else {"succeeded": "+"}.get(state, "-")
        )
        self._console.print(Text.assemble((f"{mark} ", _STATE_STYLES.get(state, "")), text), soft_wrap=False)

    # -- in the drawing thread -----------------------------------------------------------------------------

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> list[RenderableType]:
        """What stands on the screen at this moment; rich calls it."""
        with self._lock:
            now = self._board.now(self._clock())
            active = self._board.active
            room = max(1, (console.size.height - 3) // 2)
            parts = self._rows(active[:room], now, options.max_width)
            if len(active) > room:
                parts.append(Text(f"  and {len(active) - room} more", style="dim"))
            parts.append(self._overall())
        return [Group(*parts)]

    def _rows(self, jobs: Sequence[Activity], now: float, width: int) -> list[RenderableType]:
        """Two lines per job: what it does and how far it is; below it what it said last."""
        cells = [(job.word, _count_text(job), _time_text(job, now)) for job in jobs]
        word_width, count_width, time_width = (
            max((len(row[at]) for row in cells), default=0) for at in range(3)
        )
        longest = max((len(job.title) for job in jobs), default=0)
        free = width - word_width - count_width - time_width - 8
        title_width = max(8, min(longest, free - (12 if width >= _NARROW else 0)))
        rows: list[RenderableType] = []
        for job, (word, count, clock) in zip(jobs, cells, strict=True):
            line = Table.grid(padding=(0, 1), expand=True)
            line.add_column(width=1, no_wrap=True)
            line.add_column(width=title_width, no_wrap=True, overflow="ellipsis")
            line.add_column(width=max(word_width, 8), no_wrap=True)
            line.add_column(ratio=1, no_wrap=True)
            line.add_column(width=count_width, no_wrap=True, justify="right")
            line.add_column(width=time_width, no_wrap=True, justify="right")
            bar: RenderableType = ""
            if job.steps.total and width >= _NARROW:
                bar = ProgressBar(total=job.steps.total, completed=job.steps.done, complete_style="cyan")
            line.add_row(
                self._spinner.render(self._clock()), Text(job.title, style="bold"), word, bar, count, clock
            )
            rows.append(line)
            if job.last_line:
                rows.append(Text(f"  {job.last_line}", style="dim", no_wrap=True, overflow="ellipsis"))
        return rows

    def _overall(self) -> Text:
        children = self._board.children
        done = sum(job.over for job in children)
        waiting = sum(job.state == "queued" for job in children)
        parts = [f"{self._board.root.title}"]
        if children:
            parts.append(f"{done} of {len(children)} done")
        if waiting:
            parts.append(f"{waiting} waiting")
        if self._board.hits:
            parts.append(f"{self._board.hits} from the cache")
        if not self._board.active:
            root = self._board.root
            parts.append(root.word)
            if root.phase == "waiting" and root.queue is not None and root.queue.wait_seconds:
                parts.append(about_text(root.queue.wait_seconds))
        parts.append(clock_text(self._clock() - self._begin))
        separator = " · " if self._fancy else " | "
        return Text(separator.join(parts), style="dim", no_wrap=True, overflow="ellipsis")


def _count_text(job: Activity) -> str:
    return f"{job.steps.done}/{job.steps.total}" if job.steps.total else ""


def _time_text(job: Activity, now: float) -> str:
    elapsed = clock_text(now - job.phase_started)
    left = job.steps.left(now)
    return f"{elapsed}, ~{clock_text(left)} left" if left is not None else elapsed


def _ended_text(job: Activity) -> Text:
    text = Text.assemble((job.title, "bold"), f"  {'built' if job.state == 'succeeded' else job.state}")
    if job.started:
        text.append(f"  {clock_text(job.ended - job.started)}")
    if job.size:
        text.append(f"  {size_text(job.size)}")
    return text
