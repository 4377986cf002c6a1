"""In which order a lock's wheels are made: each after those that it needs at run time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from packaging.utils import canonicalize_name

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")
_VIA = re.compile(r"^\s+#(?: via)?\s*(.*?)\s*$")


def needs_of(text: str) -> dict[str, frozenset[str]]:
    """What each project of a lock needs, by the `# via` notes that pip-tools writes under each pin.

    :param text: the lock's text.
    :returns: canonical names.
    """
    needs: dict[str, set[str]] = {}
    project = ""
    for line in text.splitlines():
        if found := _PIN.match(line):
            project = canonicalize_name(found[1])
            needs.setdefault(project, set())
        elif project and (via := _VIA.match(line)) and via[1] and not via[1].startswith("-r"):
            needs.setdefault(canonicalize_name(via[1].split(" ")[0]), set()).add(project)
    return {name: frozenset(found) for name, found in needs.items()}


def levels(needs: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Projects in rounds: each round needs only earlier ones. A cycle makes one round of all that is left."""
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError:
        return [tuple(sorted(needs))]
    rounds = []
    while sorter.is_active():
        ready = tuple(sorted(sorter.get_ready()))
        rounds.append(ready)
        sorter.done(*ready)
    return rounds
