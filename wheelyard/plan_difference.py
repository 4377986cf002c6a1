"""The difference of two plans of one request: what a change would let be built, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from wheelyard.build_key import BuildInputs
from wheelyard.key_difference import Change, key_difference
from wheelyard.plan import Plan, PlanNode, Role, Standing

_PENDING_FIELDS = frozenset({"build_wheels", "natives"})


class Fate(StrEnum):
    """What a change means for one node."""

    REBUILT = "rebuilt"
    """It is there now, and would be built."""
    NEW = "new"
    """It is not in the plan now, and would be built."""
    EITHER_WAY = "either way"
    """It is to be built with the change and without."""
    BLOCKED = "blocked"
    """It could not be built with the change."""
    TAKEN = "taken"
    """Another wheel than now, which is in the cache."""
    SAME = "same"
    GONE = "gone"
    """It would not be needed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDifference:
    """One node of two plans.

    :param now: without the change; None where it is new.
    :param then: with the change; None where it is gone.
    :param changes: which inputs of its key differ; empty where that is not known.
    """

    fate: Fate
    now: PlanNode | None
    then: PlanNode | None
    changes: tuple[Change, ...]

    @property
    def node(self) -> PlanNode:
        """The node with the change, or without it where it is gone."""
        found = self.then or self.now
        if found is None:
            raise ValueError("a difference has a node")
        return found


def plan_difference(now: Plan, then: Plan) -> tuple[NodeDifference, ...]:
    """Every node of two plans: those of the changed one in their order, then those that are gone."""
    pairs = _pairs(now, then)
    old = {node.id: node for node in now}
    found = []
    for node in then:
        before = old.get(pairs.get(node.id, ""))
        changes = () if before is None else _changes(before, node, now, then)
        found.append(NodeDifference(fate=_fate(before, node), now=before, then=node, changes=changes))
    kept = frozenset(pairs.values())
    found += [
        NodeDifference(fate=Fate.GONE, now=node, then=None, changes=()) for node in now if node.id not in kept
    ]
    return tuple(found)


def _pairs(now: Plan, then: Plan) -> dict[str, str]:
    """Id with the change to id without it: the same one, else the same project in the same role."""
    ids = {node.id for node in now}
    pairs = {node.id: node.id for node in then if node.id in ids}
    left: dict[tuple[str, Role], list[str]] = {}
    for node in now:
        if node.id not in pairs:
            left.setdefault((node.project, node.role), []).append(node.id)
    for node in then:
        if node.id not in pairs and (found := left.get((node.project, node.role))):
            pairs[node.id] = found.pop(0)
    return pairs


def _fate(now: PlanNode | None, then: PlanNode) -> Fate:
    if then.standing in (Standing.BLOCKED, Standing.FAILED):
        return Fate.SAME if now is not None and now.standing is then.standing else Fate.BLOCKED
    if then.standing.is_there:
        same = now is not None and now.standing.is_there and (now.key, now.id) == (then.key, then.id)
        return Fate.SAME if same else Fate.TAKEN
    if now is None:
        return Fate.NEW
    return Fate.REBUILT if now.standing.is_there else Fate.EITHER_WAY


def _changes(now: PlanNode, then: PlanNode, before: Plan, after: Plan) -> tuple[Change, ...]:
    if not now.inputs or not then.inputs or (now.key and now.key == then.key):
        return ()
    found = key_difference(BuildInputs.from_document(now.inputs), BuildInputs.from_document(then.inputs))
    return tuple(_with_pending(found, _pending(now, before), _pending(then, after)))


def _pending(node: PlanNode, plan: Plan) -> Mapping[str, str]:
    """Projects and versions that it is built with and that are not there yet: its inputs lack them."""
    needs = {one.id: one for one in plan if one.id in node.build_needs}
    return {one.project: one.version for one in needs.values() if not one.standing.is_there}


def _with_pending(
    changes: tuple[Change, ...], now: Mapping[str, str], then: Mapping[str, str]
) -> Iterator[Change]:
    """The changes, where what is not built yet is no wheel that came or went."""
    for change in changes:
        what = f"the {change.name} {'wheel' if change.field == 'build_wheels' else 'native artifact'}"
        if change.field not in _PENDING_FIELDS:
            yield change
        elif not change.after and change.name in then:
            version = then[change.name]
            text = f"{what} is one that is built first ({version}), and not {change.before}"
            yield replace(change, after=version, text=text)
        elif not change.before and change.name in now:
            version = now[change.name]
            text = f"{what} is {change.after}, and not one that is built first ({version})"
            yield replace(change, before=version, text=text)
        else:
            yield change
