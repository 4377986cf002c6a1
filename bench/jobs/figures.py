"""Times of many tries as a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Milliseconds: the median, the slow end and the worst of so many tries."""

    tries: int
    p50: float
    p99: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Figures:
        """The figures of some times in seconds."""
        times = sorted(1000 * one for one in seconds)
        at = [times[min(len(times) - 1, math.ceil(len(times) * share) - 1)] for share in (0.5, 0.99)]
        return cls(tries=len(times), p50=round(at[0], 2), p99=round(at[1], 2), worst=round(times[-1], 2))

    def line(self, what: str, aim_p99: float = 0.0) -> str:
        """One line for people.

        :param aim_p99: in milliseconds; 0 means that there is none.
        """
        verdict = ""
        if aim_p99:
            verdict = f"  ({'within' if self.p99 < aim_p99 else 'OVER'} the aim of p99 < {aim_p99:.0f} ms)"
        return (
            f"{what:<52} p50 {self.p50:8.2f}  p99 {self.p99:8.2f}  worst {self.worst:8.2f} ms "
            f"of {self.tries}{verdict}"
        )
