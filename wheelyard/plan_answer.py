"""What the service answers about a plan, as value objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from wheelyard.answers import JobAnswer
from wheelyard.plan import Plan, PlanNode
from wheelyard.plan_outlook import Outlook

_NODE_FIELDS = frozenset(one.name for one in fields(PlanNode))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """A job and its plan as the service described them.

    :param plan: None while there is none yet; its nodes have inputs only where those were asked for.
    :param outlook: what is left of it; None while there is no plan.
    :param document: the whole answer, for `--json`.
    """

    job: JobAnswer
    plan: Plan | None
    outlook: Outlook | None
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PlanAnswer:
        """Read an answer of `/v1/plans/…`; what a newer service says besides is passed over."""
        graph = document.get("plan")
        return cls(
            job=JobAnswer.from_document(document),
            plan=_plan(graph) if graph else None,
            outlook=_outlook(graph["estimate"]) if graph else None,
            document=document,
        )


def _plan(graph: Mapping[str, Any]) -> Plan:
    known = {name: graph[name] for name in ("toolchain", "image", "build_deps", "lock")}
    return Plan.from_document({**known, "nodes": [_node(node) for node in graph["nodes"]]})


def _node(document: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in document.items() if name in _NODE_FIELDS}
    return {**known, "inputs": document.get("inputs") or {}}


def _outlook(estimate: Mapping[str, Any]) -> Outlook:
    return Outlook(
        seconds=float(estimate["seconds"]),
        end_seconds=float(estimate["end_seconds"]),
        workers=int(estimate["workers"]),
        path=tuple(estimate["path"]),
        path_seconds=float(estimate["path_seconds"]),
    )
