"""The outlook of a plan: how far each node is by now, how long the rest takes, and what keeps it longest."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from wheelyard.jobs.states import Job, Kind, State
from wheelyard.node_standing import as_its_job, blocked_by
from wheelyard.plan import Plan, PlanNode, Standing

_TOO_EARLY = (State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is left of a plan, by estimates.

    :param seconds: of all builds that are left, one after the other.
    :param end_seconds: until the last of them ends, with that many workers.
    :param workers: builds at the same time.
    :param path: ids of the chain that the end waits for longest, in order; empty where nothing is left.
    :param path_seconds: that this chain takes, however many workers there are.
    """

    seconds: float
    end_seconds: float
    workers: int
    path: tuple[str, ...]
    path_seconds: float


def needs_in(plan: Plan) -> dict[str, tuple[str, ...]]:
    """What each node of a plan waits for, each need once: no circle is among them.

    Projects may need each other at run time; whoever comes first then does not wait for the other.
    """
    needs: dict[str, tuple[str, ...]] = {}
    for node in plan:
        asked = dict.fromkeys((*node.build_needs, *node.run_needs))
        needs[node.id] = tuple(need for need in asked if need in needs)
    return needs


def count_standings(plan: Plan) -> dict[Standing, int]:
    """How many nodes there are of each standing, those without any as 0."""
    found = Counter(node.standing for node in plan)
    return {standing: found[standing] for standing in Standing}


def brought_up_to_date(plan: Plan, parent: Job, jobs: Mapping[str, Job]) -> Plan:
    """The plan with each node as its job stands, and with what a failure blocks.

    :param parent: the job that has the plan.
    :param jobs: those of the nodes, by id; a node whose job is not among them stays as it is.
    """
    nodes: dict[str, PlanNode] = {}
    needs = needs_in(plan)
    for node in plan:
        job = jobs.get(node.job)
        now = node if job is None or node.standing.is_over else as_its_job(node, job)
        if now.standing is Standing.WAITING:
            now = _blocked(now, parent, [nodes[need] for need in needs[node.id]])
        nodes[node.id] = now
    return replace(plan, nodes=tuple(nodes.values()))


def _blocked(node: PlanNode, parent: Job, needs: Iterable[PlanNode]) -> PlanNode:
    """A waiting node, blocked by what it needs, or by the end of who would have it built."""
    node = blocked_by(node, needs)
    if node.standing is Standing.WAITING and parent.kind is not Kind.PLAN and parent.state in _TOO_EARLY:
        reason = f"the {parent.kind} ended as {parent.state} before its turn"
        return replace(node, standing=Standing.BLOCKED, reason=reason)
    return node


def outlook(plan: Plan, workers: int, begun: Mapping[str, float] | None = None) -> Outlook:
    """What is left of a plan: longest path first over some workers, as the work itself is done.

    :param workers: builds at the same time, 1 at the least.
    :param begun: seconds that the nodes which are being built took so far, by id.
    """
    spent = begun or {}

    def left(node: PlanNode) -> float:
        return max(0.0, node.seconds - spent.get(node.id, 0.0)) if not node.standing.is_over else 0.0

    going = {node.id: node for node in plan if not node.standing.is_over}
    needs = needs_in(plan)
    paths = path_seconds(needs, {node.id: left(node) for node in plan})
    path = tuple(_longest(needs, paths, going))
    return Outlook(
        seconds=round(sum(left(node) for node in going.values()), 1),
        end_seconds=round(_end(going, needs, paths, left, workers), 1),
        workers=workers,
        path=path,
        path_seconds=round(paths[path[0]], 1) if path else 0.0,
    )


def path_seconds(needs: Mapping[str, Collection[str]], own: Mapping[str, float]) -> dict[str, float]:
    """For each node the seconds from its start to the end of the longest chain of those that need it.

    What is longest is begun first: a short chain can wait for a worker, the longest one delays the end (the
    list scheduling of Hu, 1961, and Graham, 1966).

    :param needs: each node behind those that it needs, as `needs_in` gives them.
    :param own: seconds that each takes by itself.
    """
    found = dict.fromkeys(needs, 0.0)
    for name in reversed(list(needs)):
        found[name] += own.get(name, 0.0)
        for need in needs[name]:
            found[need] = max(found[need], found[name])
    return found


def users_in(needs: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Who waits for each node; what nobody waits for is not among them."""
    users: dict[str, list[str]] = {}
    for name, found in needs.items():
        for need in found:
            users.setdefault(need, []).append(name)
    return users


def _longest(
    needs: Mapping[str, tuple[str, ...]], paths: Mapping[str, float], going: Collection[str]
) -> Iterator[str]:
    users = users_in(needs)
    at = max(going, key=lambda name: paths[name], default="")
    while at:
        yield at
        following = [name for name in users.get(at, ()) if name in going]
        at = max(following, key=lambda name: paths[name], default="")


def _end(
    going: Mapping[str, PlanNode],
    needs: Mapping[str, tuple[str, ...]],
    paths: Mapping[str, float],
    left: Callable[[PlanNode], float],
    workers: int,
) -> float:
    """When the last node ends: whoever is free takes, of those whose needs are there, the longest path."""
    missing = {name: {need for need in needs[name] if need in going} for name in going}
    ready = [(-paths[name], name) for name, waits in missing.items() if not waits]
    heapq.heapify(ready)
    users = users_in(missing)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < max(1, workers):
            _path, name = heapq.heappop(ready)
            heapq.heappush(running, (now + left(going[name]), name))
        now, ended = heapq.heappop(running)
        for name in users.get(ended, ()):
            missing[name].remove(ended)
            if not missing[name]:
                heapq.heappush(ready, (-paths[name], name))
    return now
