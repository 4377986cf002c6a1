"""The graph of a plan without its wheels: cycles and how seeds break them, order, and longest paths."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

Needs = Mapping[str, frozenset[str]]
"""What each node needs, by id. A need that is no node itself counts as one without needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenGraph:
    """A graph without cycles, in which some members of former cycles stand twice.

    :param needs: of all nodes, the added ones too.
    :param bootstraps: id of the bootstrap of each member that is first built with a seed.
    :param seeds: id of the seed of each member that one stands in for.
    :param stuck: of each member of a cycle that no seed breaks, the ids on the way round; it stands once,
        without any needs.
    """

    needs: dict[str, frozenset[str]]
    bootstraps: dict[str, str]
    seeds: dict[str, str]
    stuck: dict[str, tuple[str, ...]]


def components(needs: Needs) -> list[tuple[str, ...]]:
    """The strongly connected components, each behind those that it needs (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    found: list[tuple[str, ...]] = []

    def enter(name: str) -> tuple[str, Iterable[str]]:
        index[name] = low[name] = len(index)
        stack.append(name)
        waiting.add(name)
        return name, iter(sorted(needs.get(name, ())))

    for root in sorted(needs):
        trail = [enter(root)] if root not in index else []
        while trail:
            name, rest = trail[-1]
            for need in rest:
                if need not in index:
                    trail.append(enter(need))
                    break
                if need in waiting:
                    low[name] = min(low[name], index[need])
            else:
                trail.pop()
                if trail:
                    asker = trail[-1][0]
                    low[asker] = min(low[asker], low[name])
                if low[name] == index[name]:
                    members = stack[stack.index(name) :]
                    del stack[-len(members) :]
                    waiting.difference_update(members)
                    found.append(tuple(sorted(members)))
    return found


def cycles(needs: Needs) -> list[tuple[str, ...]]:
    """The components in which something needs itself, directly or through others."""
    return [
        members
        for members in components(needs)
        if len(members) > 1 or members[0] in needs.get(members[0], frozenset())
    ]


def break_cycles(needs: Needs, seedable: Collection[str]) -> BrokenGraph:
    """Let seeds break every cycle, and have what was built with them only build the members once more.

    A member that is built with one that has a seed gets a bootstrap, which is built with the seed; it is
    built itself with what comes of that. So no node but a bootstrap ever needs a seed.

    :param seedable: ids of the nodes of which there is a wheel that can stand in.
    """
    broken = {name: frozenset(wanted) for name, wanted in needs.items()}
    bootstraps: dict[str, str] = {}
    seeds: dict[str, str] = {}
    stuck: dict[str, tuple[str, ...]] = {}
    for members in cycles(needs):
        inside = {name: needs[name].intersection(members) for name in members}
        cut, left = _cut(inside, seedable)
        if left:
            stuck |= dict.fromkeys(members, left)
            broken |= dict.fromkeys(members, frozenset())
            continue
        bootstraps |= {name: f"{name} (bootstrap)" for name in members if inside[name] & cut}
        seeds |= {name: f"{name} (seed)" for name in cut}
        broken |= {seeds[name]: frozenset() for name in cut}
        for name in members:
            outside = needs[name] - inside[name]
            # Who needs no seed would be the same twice.
            ours = {one: bootstraps.get(one, one) for one in inside[name]}
            broken[name] = outside.union(ours.values())
            if name in bootstraps:
                broken[bootstraps[name]] = outside.union((ours | seeds)[one] for one in inside[name])
    return BrokenGraph(needs=broken, bootstraps=bootstraps, seeds=seeds, stuck=stuck)


def _cut(needs: Needs, seedable: Collection[str]) -> tuple[set[str], tuple[str, ...]]:
    """Members without whose being needed no cycle is left; or a cycle that stays whatever is cut.

    The one through which most ways go is cut first; to find the fewest would be hard (Karp, 1972).
    """
    left = {name: set(wanted) for name, wanted in needs.items()}
    cut: set[str] = set()
    while found := cycles({name: frozenset(wanted) for name, wanted in left.items()}):
        members = found[0]
        choices = [name for name in members if name in seedable]
        if not choices:
            return cut, _way_round(members, left)
        asked = {name: sum(name in left[one] for one in members) for name in choices}
        chosen = max(choices, key=lambda name: (asked[name] * len(left[name].intersection(members)), name))
        cut.add(chosen)
        for wanted in left.values():
            wanted.discard(chosen)
    return cut, ()


def _way_round(members: Collection[str], needs: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """A shortest way from one member back to itself; the first and the last id are the same."""
    start = min(members)
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for need in sorted(set(needs[name]).intersection(members)):
            if need == start:
                way = [start, name]
                while name != start:
                    name = before[name]
                    way.append(name)
                return tuple(reversed(way))
            if need not in before:
                before[need] = name
                queue.append(need)
    raise ValueError(f"{start} is in no cycle")


def without_circles(build: Needs, run: Needs) -> dict[str, frozenset[str]]:
    """What each node waits for because it runs with it, without what would let nodes wait for each other.

    :param build: what each is built with; has no cycle.
    :param run: what each needs at run time; may have cycles, also together with `build`.
    """
    kept = {name: set(run.get(name, ())) for name in build}
    while found := cycles({name: build[name] | kept[name] for name in build}):
        members = found[0]
        asked = {name: sum(name in kept[one] for one in members) for name in members}
        chosen = max(members, key=lambda name: (asked[name], name))
        for one in members:
            kept[one].discard(chosen)
    return {name: frozenset(wanted) for name, wanted in kept.items()}
