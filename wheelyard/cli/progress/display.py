"""The display's contract: it is told what happens, and shows it its own way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, Self

from wheelyard.answers import ChildAnswer, QueueAnswer
from wheelyard.event import Event


class ProgressStyle(StrEnum):
    """How a running job is shown."""

    AUTO = "auto"
    TTY = "tty"
    PLAIN = "plain"
    JSON = "json"
    QUIET = "quiet"


class Display(Protocol):
    """Shows one job from its submission to its end. Used from one thread."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def expect(self, parent: str, children: Sequence[ChildAnswer]) -> None:
        """Jobs that the service says the parent waits for."""

    def stand(self, job_id: str, queue: QueueAnswer | None) -> None:
        """Where a job stands in its queue, or how long it will wait for others."""

    def event(self, event: Event) -> None:
        """Something happened."""

    def tick(self) -> None:
        """Nothing happened for a moment."""

    def note(self, text: str) -> None:
        """Something that the client itself has to say: a lost connection, a Ctrl-C."""


def resolve_style(style: ProgressStyle) -> ProgressStyle:
    """What `auto` means here: a live display on a terminal that can move its cursor, else lines."""
    if style is not ProgressStyle.AUTO:
        return style
    from rich.console import Console

    console = Console()
    return ProgressStyle.TTY if sys.stdout.isatty() and not console.is_dumb_terminal else ProgressStyle.PLAIN


def make_display(style: ProgressStyle, job_id: str, title: str) -> Display:
    """The display of a style, for one job.

    :param style: `auto` is resolved first.
    """
    chosen = resolve_style(style)
    if chosen is ProgressStyle.TTY:
        from wheelyard.cli.progress.tty import TtyDisplay

        return TtyDisplay(job_id, title)
    if chosen is ProgressStyle.JSON:
        from wheelyard.cli.progress.json_lines import JsonDisplay

        return JsonDisplay()
    if chosen is ProgressStyle.QUIET:
        from wheelyard.cli.progress.quiet import QuietDisplay

        return QuietDisplay()
    from wheelyard.cli.progress.plain import PlainDisplay

    return PlainDisplay(job_id, title)
