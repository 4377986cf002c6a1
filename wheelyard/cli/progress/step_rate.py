"""The rate at which steps are done, and the time that the rest of them will take."""

from __future__ import annotations

import math
from collections import deque

_WINDOW_SECONDS = 90.0
_SMOOTHING_SECONDS = 20.0
_LEAST_STEPS = 4
_LEAST_SECONDS = 4.0


class StepRate:
    """An estimate that does not jump: the rate of the whole time and of late, and a smoothed end.

    Build tools give no better hint than their count of steps, and one step may take a hundred times as long
    as another.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._first: tuple[float, int] | None = None
        self._done = 0
        self._total = 0
        self._seen_at = 0.0
        self._end_at: float | None = None

    @property
    def done(self) -> int:
        """Steps that are done."""
        return self._done

    @property
    def total(self) -> int:
        """Steps that there are; 0 where nothing is known."""
        return self._total

    @property
    def share(self) -> float:
        """What is done of it, from 0 to 1."""
        return min(1.0, self._done / self._total) if self._total else 0.0

    def add(self, done: int, total: int, at: float) -> None:
        """Take a count; a smaller one than the last, or another total, is another run of the build tool.

        :param at: epoch seconds.
        """
        if self._first is None or done < self._done or total != self._total:
            self._first, self._end_at = (at, done), None
            self._samples.clear()
        self._done, self._total, self._seen_at = done, total, max(at, self._seen_at)
        self._samples.append((at, done))
        while self._samples[0][0] < at - _WINDOW_SECONDS:
            self._samples.popleft()
        rate = self._rate(at)
        if rate <= 0:
            return
        end = at + (total - done) / rate
        if self._end_at is None:
            self._end_at = end
            return
        previous = self._samples[-2][0] if len(self._samples) > 1 else at
        weight = 1 - math.exp(-max(at - previous, 0.05) / _SMOOTHING_SECONDS)
        self._end_at += weight * (end - self._end_at)

    def _rate(self, at: float) -> float:
        """Steps a second; 0 where it is too early to say."""
        if self._first is None:
            return 0.0
        start, first = self._first
        if self._done - first < _LEAST_STEPS or at - start < _LEAST_SECONDS:
            return 0.0
        whole = (self._done - first) / (at - start)
        begin, begin_done = self._samples[0]
        recent = (self._done - begin_done) / (at - begin) if at - begin >= _LEAST_SECONDS else whole
        # The mean of the times per step, not of the rates: a fast beginning, as with a cache, soon fades.
        return 2 * whole * recent / (whole + recent) if recent > 0 else whole / 2

    def left(self, now: float) -> float | None:
        """Seconds until the last step is done, or None where it is too early to say.

        :param now: epoch seconds, on the clock of the counts.
        """
        if self._end_at is None or self._done >= self._total:
            return None
        # A step that takes longer than expected pushes the end ahead of itself; it is never in the past.
        quiet = max(0.0, now - self._seen_at)
        return max(self._end_at - now, min(quiet, 60.0), 1.0)
