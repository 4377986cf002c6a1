"""The demo's phases: what is being done, how long it took, and a line about what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text


@dataclass(slots=True, kw_only=True)
class Phase:
    """One phase; `note` is filled in by whoever runs it."""

    name: str
    title: str
    seconds: float = 0.0
    note: str = ""

    def to_document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Phases:
    """The phases so far, in their order."""

    console: Console
    count: int
    ended: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[Phase]:
        """Time what is done inside; a phase that raises is not counted as ended."""
        phase = Phase(name=name, title=title)
        number = len(self.ended) + 1
        self.console.print()
        self.console.print(
            Rule(Text(f"{number}/{self.count}  {title}", style="bold"), align="left", style="dim")
        )
        began = time.monotonic()
        yield phase
        phase.seconds = time.monotonic() - began
        self.ended.append(phase)
        self.console.print(
            Text.assemble(("done", "green"), f" in {duration(phase.seconds)}  ", (phase.note, "dim"))
        )

    def add(self, phase: Phase) -> None:
        """A phase that was timed elsewhere."""
        self.ended.append(phase)


def duration(seconds: float) -> str:
    """A time as people read it: `0.4 s`, `45 s`, `12 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
