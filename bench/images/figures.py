"""What was measured: seconds and bytes, each beside its aim where it has one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of the run.

    :param what: what was measured.
    :param value: the median, where it was measured more than once.
    :param unit: `s`, `MB`, `kB` or `times`.
    :param aim: the most that it may be, or of `times` the least; 0 where there is no aim.
    :param all: each of its values.
    """

    what: str
    value: float
    unit: str
    aim: float = 0.0
    all: tuple[float, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the aim is kept."""
        if not self.aim:
            return True
        return self.value >= self.aim if self.unit == "times" else self.value <= self.aim

    def line(self) -> str:
        """One line for people."""
        verdict = f"  ({'within' if self.held else 'MISSES'} the aim of {self.aim:g})" if self.aim else ""
        return f"  {self.what:<76} {self.value:10.3f} {self.unit:<5}{verdict}"


def median_of(what: str, seconds: Sequence[float], aim: float = 0.0) -> Figure:
    """The median of repeated times."""
    rounded = tuple(round(one, 3) for one in seconds)
    return Figure(what=what, value=round(statistics.median(seconds), 3), unit="s", aim=aim, all=rounded)


def kilobytes(what: str, size: int, aim: int = 0) -> Figure:
    """A number of bytes.

    :param aim: the most that it may be, in bytes; 0 where there is no aim.
    """
    return Figure(what=what, value=round(size / 1000, 1), unit="kB", aim=round(aim / 1000, 1))
