"""How much of a job's output listeners hear: so many lines and steps a second, and what was held back."""

from __future__ import annotations

LINES_PER_SECOND = 200
STEPS_PER_SECOND = 20

Step = tuple[int, int, str]
"""Steps done, steps in all, and the raw text."""


class Thinning:
    """Counts by the second; times are epoch seconds. All but `skip` wants its caller's lock."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._steps = 0
        self._step: Step | None = None
        # One of the two is raised by who writes the log only, the other under the lock: no count is lost.
        self._skipped = 0
        self._told = 0
        self.full_until = 0.0
        """Until then every line is skipped."""

    def skip(self) -> None:
        """Count a line that is not told."""
        self._skipped += 1

    def takes_line(self, now: float) -> bool:
        """Whether a line is told; else `skip` it."""
        self._turn(now)
        self._lines += 1
        if self._lines <= LINES_PER_SECOND:
            return True
        self.full_until = self._second + 1.0
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
        step, skipped = self._step, self._skipped
        told, self._told, self._step = self._told, skipped, None
        return step, skipped - told

    def _turn(self, now: float) -> None:
        if int(now) != self._second:
            self._second, self._lines, self._steps = int(now), 0, 0
