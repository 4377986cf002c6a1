"""The layout of a plan's picture: which box stands where, and which arrows say something new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wheelyard.plan import Plan
from wheelyard.plan_outlook import needs_in, users_in

_MOST_ROWS = 24
_SWEEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """From what is needed to who needs it.

    :param runs: it is needed beside it in the check, and not for the compile.
    """

    need: str
    user: str
    runs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the boxes of a plan stand.

    :param columns: ids of the nodes, left to right and top to bottom; what is needed stands further left.
    :param arrows: those that no chain of other arrows says already.
    """

    columns: tuple[tuple[str, ...], ...]
    arrows: tuple[Arrow, ...]


def layout_of(plan: Plan) -> Layout:
    """The layout of a plan; the same plan has the same one."""
    needs = needs_in(plan)
    level = _levels(plan, needs)
    layers: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for node in plan:
        layers[level[node.id]].append(node.id)
    arrows = _arrows(plan, needs)
    _sort(layers, arrows)
    return Layout(columns=tuple(part for layer in layers for part in _parts(layer)), arrows=tuple(arrows))


def _levels(plan: Plan, needs: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Each node one layer behind the last of its needs; what nobody waits for long stands beside its user."""
    level: dict[str, int] = {}
    for node in plan:
        level[node.id] = max((level[need] + 1 for need in needs[node.id]), default=0)
    users = users_in(needs)
    for node in reversed(plan.nodes):
        if not needs[node.id] and (own := users.get(node.id)):
            level[node.id] = max(0, min(level[name] for name in own) - 1)
    return level


def _arrows(plan: Plan, needs: Mapping[str, tuple[str, ...]]) -> list[Arrow]:
    above: dict[str, set[str]] = {}
    arrows = []
    for node in plan:
        direct = needs[node.id]
        further = set().union(*(above.get(need, set()) for need in direct))
        above[node.id] = further | set(direct)
        arrows += [
            Arrow(need=need, user=node.id, runs=need not in node.build_needs)
            for need in direct
            if need not in further
        ]
    return arrows


def _sort(layers: list[list[str]], arrows: list[Arrow]) -> None:
    """Order each layer by the middle of its neighbours, there and back, so that few arrows cross."""
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for arrow in arrows:
        left.setdefault(arrow.user, []).append(arrow.need)
        right.setdefault(arrow.need, []).append(arrow.user)
    place = {name: float(row) for layer in layers for row, name in enumerate(layer)}
    for sweep in range(_SWEEPS):
        neighbours = right if sweep % 2 else left
        for layer in reversed(layers) if sweep % 2 else layers:
            middle = {
                name: sum(place[one] for one in near) / len(near)
                if (near := neighbours.get(name))
                else place[name]
                for name in layer
            }
            layer.sort(key=lambda name: (middle[name], name))
            for row, name in enumerate(layer):
                # In parts of the layer's height, so that short layers and long ones compare.
                place[name] = (row + 0.5) * _MOST_ROWS / len(layer)


def _parts(layer: list[str]) -> list[tuple[str, ...]]:
    """A long layer as several columns of about the same height."""
    count = -(-len(layer) // _MOST_ROWS)
    height = -(-len(layer) // count)
    return [tuple(layer[start : start + height]) for start in range(0, len(layer), height)]
