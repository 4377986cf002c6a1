"""The projects of the batch: their pins, and the place that each has among the most downloaded ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^(?P<pin>(?P<name>[a-z0-9-]+)==\S+)\s+# (?P<rank>\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One line of the list.

    :param pin: for instance `markupsafe==3.0.4`.
    :param rank: among the most downloaded projects of the index, 1 for the first one.
    """

    name: str
    pin: str
    rank: int


def read_projects(path: Path) -> list[Project]:
    """The projects of a list, in its order.

    :raises ValueError: a line is neither blank, nor a comment, nor a pin with its rank.
    """
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"{path.name}, line {number}: not a pin with its rank: {line}")
        found.append(Project(name=match["name"], pin=match["pin"], rank=int(match["rank"])))
    return found
