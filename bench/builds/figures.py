"""What was measured: seconds and the number of wheels made, of one builder in one situation."""

from __future__ import annotations

from dataclasses import dataclass

COLD = "cold"
AGAIN = "nothing changed"
PLANNED = "nothing changed, planned again"
CHANGED = "one build requirement changed"
WARM = "with the compiler cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One run.

    :param who: `pip`, `fromager` or `wheelyard`.
    :param course: `wheels`, where build requirements are the index's wheels; `source`, where they are built.
    :param situation: what there was before.
    :param seconds: from the command's start to its end.
    :param made: wheels that were made in it; of what is built for builds, too.
    """

    who: str
    course: str
    situation: str
    seconds: float
    made: int

    def line(self) -> str:
        """One line for people."""
        what = f"{self.who:<10} {self.course:<7} {self.situation:<30}"
        return f"  {what} {self.seconds:9.2f} s  {self.made:3} made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One number of this run beside another one of this run.

    :param aim: the most that it may be; 0 where there is no aim.
    """

    what: str
    value: float
    aim: float = 0.0

    def line(self) -> str:
        """One line for people."""
        verdict = (
            f"  ({'within' if self.value <= self.aim else 'OVER'} the aim of {self.aim:g})"
            if self.aim
            else ""
        )
        return f"  {self.what:<64} {self.value:8.3f}{verdict}"


def find(figures: list[Figure], who: str, course: str, situation: str) -> Figure | None:
    """The figure of a builder in a situation, or None where it was not measured."""
    return next(
        (one for one in figures if (one.who, one.course, one.situation) == (who, course, situation)), None
    )
