"""How much of a job's output listeners hear: so many lines and steps a second, and what was held back."""

from __future__ import annotations

LINES_PER_SECOND = 200
STEPS_PER_SECOND = 20

Step = tuple[int, int, str]
"""Steps done, steps in all, and the raw text."""


class Thinning:
    """Counts by the second; times are epoch seconds. Not safe from several threads."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._steps = 0
        self._skipped = 0
        self._step: Step | None = None

    def takes_line(self, now: float) -> bool:
        """Whether a line is told; else it is counted."""
        self._turn(now)
        self._lines += 1
        if self._lines <= LINES_PER_SECOND:
            return True
        self._skipped += 1
        return False

    def takes_step(self, now: float, step: Step) -> bool:
        """Whether a step is told; else it is held until a later one takes its place or it is released."""
        self._turn(now)
        self._steps += 1
        if self._steps <= STEPS_PER_SECOND:
            self._step = None
            return True
        self._step = step
        return False

    def release(self, now: float, *, due: bool) -> tuple[Step | None, int]:
        """The last step that was held back, and the number of lines that were.

        :param due: release them now; else only where their second is over.
        """
        if not due and int(now) == self._second:
            return None, 0
        released = self._step, self._skipped
        self._step, self._skipped = None, 0
        return released

    def _turn(self, now: float) -> None:
        if int(now) != self._second:
            self._second, self._lines, self._steps = int(now), 0, 0
