"""In which order a lock's wheels are made: each after those that it needs at run time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
        elif project and (via := _VIA.match(line)) and via[1] and not via[1].startswith(("-r", "-c")):
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


def path_seconds(
    rounds: Sequence[Sequence[str]], needs: Mapping[str, frozenset[str]], own: Mapping[str, float]
) -> dict[str, float]:
    """For each project the seconds from its start to the end of the longest chain of those that need it.

    What is longest is begun first: a short chain can wait for a worker, the longest one delays the end (the
    list scheduling of Hu, 1961, and Graham, 1966).

    :param rounds: as `levels` gives them.
    :param needs: what each project needs.
    :param own: seconds that each takes by itself.
    """
    found: dict[str, float] = {}
    for ready in reversed(rounds):
        after = {
            name: max((found[later] for later in found if name in needs.get(later, frozenset())), default=0.0)
            for name in ready
        }
        # Only when the round is done: of a cycle, which is one round, none comes after the other.
        found |= {name: own.get(name, 0.0) + after[name] for name in ready}
    return found
