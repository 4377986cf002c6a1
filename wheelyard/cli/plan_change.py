"""What `wheelyard plan --if` takes: a change of the request, planned beside it and told as a cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from wheelyard.cli.plan_text import estimate_text
from wheelyard.cli.queue_text import about_text
from wheelyard.cli.tables import write_line, write_table
from wheelyard.errors import InputError
from wheelyard.plan_answer import PlanAnswer
from wheelyard.plan_difference import Fate, NodeDifference, plan_difference
from wheelyard.plan_outlook import Outlook
from wheelyard.requirements import normalise_requirements

_KINDS = "toolchain=NAME, constraint=REQ, build-deps=source|wheels, variant=PROJECT=VARIANT"
_BUILDS = (Fate.REBUILT, Fate.NEW, Fate.EITHER_WAY)


def changed_request(request: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The request with every change made; later changes win.

    :param changes: each as `--if` takes it.
    :raises InputError: one is none that can be made.
    """
    changed = dict(request)
    for change in changes:
        what, _, value = change.partition("=")
        if what == "toolchain" and value:
            changed["toolchain"] = value
        elif what == "constraint" and value:
            # Whether it is run or built with: who names a project here wants to know what that version costs.
            for field in ("constraints", "build_constraints"):
                changed[field] = _constrained(changed.get(field, ()), value)
        elif what == "build-deps" and value in ("source", "wheels"):
            changed["build_deps"] = value
        elif what == "variant" and all(value.partition("=")):
            project, _, variant = value.partition("=")
            asked = {canonicalize_name(name): one for name, one in changed.get("variants", {}).items()}
            changed["variants"] = {**asked, canonicalize_name(project): variant}
        else:
            raise InputError(f"--if {change!r} is no change of a plan", expected=_KINDS, found=change)
    return changed


def _constrained(constraints: Sequence[str], text: str) -> list[str]:
    """The constraints with one more, in the place of what they said of its project."""
    (added,) = normalise_requirements([text])
    return [*(one for one in constraints if _project(one) != _project(added)), added]


def _project(requirement: str) -> str:
    from packaging.requirements import Requirement

    return canonicalize_name(Requirement(requirement).name)


def cost_document(now: PlanAnswer, then: PlanAnswer, changes: Sequence[str]) -> dict[str, Any]:
    """What a change costs, for `--json`."""
    return {
        "if": list(changes),
        "now": _side(now),
        "then": _side(then),
        "nodes": [_node_document(one) for one in _differences(now, then)],
    }


def write_cost(now: PlanAnswer, then: PlanAnswer, changes: Sequence[str]) -> None:
    """Write what a change costs: which nodes it lets be built, for how long, and which inputs differ."""
    found = _differences(now, then)
    built = [one for one in found if one.fate in _BUILDS]
    blocked = [one for one in found if one.fate is Fate.BLOCKED]
    write_line(f"if {', '.join(changes)}:")
    if built:
        rows = [(one.node.id, one.fate.value, estimate_text(one.node), _because(one)) for one in built]
        write_table(("BUILD", "WHY", "ESTIMATE", "WHAT DIFFERS"), rows, right=(2,))
    for one in blocked:
        write_line(f"blocked: {one.node.id}: {one.node.reason}")
    write_line()
    write_line(_totals(found))
    if now.outlook is not None and then.outlook is not None:
        write_line(f"building: {_left(now.outlook)} now, {_left(then.outlook)} then")


def _differences(now: PlanAnswer, then: PlanAnswer) -> tuple[NodeDifference, ...]:
    if now.plan is None or then.plan is None:
        missing = now if now.plan is None else then
        raise InputError(
            f"{missing.job.title} has no plan that could be compared",
            found=missing.job.state,
            do=f"see `wheelyard job {missing.job.id}`",
        )
    return plan_difference(now.plan, then.plan)


def _because(one: NodeDifference) -> str:
    if one.changes:
        return "; ".join(change.text if change.name == "" else change.short for change in one.changes)
    if one.fate is Fate.NEW:
        return "not needed now"
    return "nothing" if one.fate is Fate.EITHER_WAY else "what it is built with is built first"


def _totals(found: Sequence[NodeDifference]) -> str:
    said = []
    for fate, words in (
        (Fate.REBUILT, "rebuilt"), (Fate.NEW, "new to build"), (Fate.EITHER_WAY, "to build either way"),
        (Fate.BLOCKED, "blocked"), (Fate.TAKEN, "taken from the cache instead"), (Fate.SAME, "the same"),
        (Fate.GONE, "not needed any more"),
    ):  # fmt: skip
        count = sum(one.fate is fate for one in found)
        if count:
            said.append(f"{count} {words}")
    return ", ".join(said) or "nothing differs"


def _left(view: Outlook) -> str:
    if not view.path:
        return "nothing"
    return f"{about_text(view.seconds)} (done in {about_text(view.end_seconds)} by {view.workers})"


def _side(answer: PlanAnswer) -> dict[str, Any]:
    view = answer.outlook
    return {
        "plan": answer.job.id,
        "toolchain": answer.job.toolchain,
        "seconds": view.seconds if view else None,
        "end_seconds": view.end_seconds if view else None,
        "workers": view.workers if view else None,
    }


def _node_document(one: NodeDifference) -> dict[str, Any]:
    return {
        "id": one.node.id,
        "fate": one.fate.value,
        "now": one.now.standing.value if one.now else None,
        "then": one.then.standing.value if one.then else None,
        "seconds": one.node.seconds if one.fate in _BUILDS else 0.0,
        "reason": one.node.reason,
        "key_now": one.now.key if one.now else "",
        "key_then": one.then.key if one.then else "",
        "changes": [change.to_document() for change in one.changes],
    }
