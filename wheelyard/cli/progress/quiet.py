"""The quiet display: nothing until the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Self

from wheelyard.answers import ChildAnswer, QueueAnswer
from wheelyard.cli.foreign_text import clean
from wheelyard.event import Event


class QuietDisplay:
    """Says only what the client itself has to say, on standard error. See `Display`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def expect(self, parent: str, children: Sequence[ChildAnswer]) -> None:
        """See `Display.expect`."""

    def stand(self, job_id: str, queue: QueueAnswer | None) -> None:
        """See `Display.stand`."""

    def event(self, event: Event) -> None:
        """See `Display.event`."""

    def tick(self) -> None:
        """See `Display.tick`."""

    def note(self, text: str) -> None:
        """See `Display.note`."""
        sys.stderr.write(clean(text) + "\n")
        sys.stderr.flush()
