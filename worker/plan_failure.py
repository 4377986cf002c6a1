"""The one error of a plan that could not be carried out: what failed and why, and what became of the rest."""

from __future__ import annotations

from collections.abc import Sequence

from wheelyard.errors import BuildFailed, InputError, WheelyardError
from wheelyard.plan import PlanNode, Role, Standing
from worker.plan_progress import PlanProgress

_SHOWN = 20
_SHOWN_LINES = 3


def failure_of(progress: PlanProgress) -> WheelyardError:
    """The error of a plan in which nothing is left to do and something is not there.

    Where one thing failed it is that one's own error, with what became of the rest; its facts name the job.
    """
    nodes = list(progress.nodes.values())
    failed = [node for node in nodes if node.id in progress.errors]
    blocked = [node for node in nodes if node.standing is Standing.BLOCKED and node.id not in progress.errors]
    errors = [progress.errors[node.id] for node in failed]
    rest = _rest(nodes, blocked)
    first = errors[0]
    facts = {
        **first.facts,
        "failures": {node.id: error.failed for node, error in zip(failed, errors, strict=True)},
        "blocked": {node.id: node.reason for node in blocked},
    }
    # The members of a cycle fail of one and the same.
    alike: dict[str, list[PlanNode]] = {}
    for node, error in zip(failed, errors, strict=True):
        alike.setdefault(error.failed, []).append(node)
    if len(alike) == 1:
        return type(first)(
            first.failed,
            expected=first.expected,
            found="\n".join(part for part in (first.found, *rest) if part),
            do=first.do,
            **facts,
        )
    told = [_told(some, progress.errors[some[0].id]) for some in list(alike.values())[:_SHOWN]]
    if len(alike) > _SHOWN:
        told.append(f"and {len(alike) - _SHOWN} more")
    return _kind(errors)(
        f"{len(failed)} of {len(nodes)} wheels could not be built: {_names(failed)}",
        found="\n".join([*told, *rest]),
        do="see each one's own log; what is there by now is not built again",
        **facts,
    )


def _kind(errors: Sequence[WheelyardError]) -> type[WheelyardError]:
    """The class of several errors: their own where it is one, wrong input where they all are that."""
    if len({type(error) for error in errors}) == 1:
        return type(errors[0])
    return InputError if all(isinstance(error, InputError) for error in errors) else BuildFailed


def _told(nodes: Sequence[PlanNode], error: WheelyardError) -> str:
    """The own first error of a node, or of several, in a few lines."""
    found = error.found.strip().splitlines()[:_SHOWN_LINES]
    job = error.facts.get("failed_job", "")
    lines = [f"{_names(nodes)}: {error.failed}", *(f"    {line.strip()}" for line in found)]
    return "\n".join([*lines, *([f"    log: wheelyard logs {job}"] if job else [])])


def _rest(nodes: Sequence[PlanNode], blocked: Sequence[PlanNode]) -> list[str]:
    """What became of all other nodes."""
    if len(nodes) == 1:
        return []
    lines = []
    if blocked:
        told = [f"{node.id} ({node.reason})" for node in blocked[:_SHOWN]]
        more = f" and {len(blocked) - _SHOWN} more" if len(blocked) > _SHOWN else ""
        lines.append(f"blocked: {', '.join(told)}{more}")
    own = [node for node in nodes if node.role is not Role.SEED]
    built = sum(node.standing is Standing.BUILT for node in own)
    hits = sum(node.standing is Standing.HIT for node in own)
    lines.append(f"{built} of {len(own)} were built, {hits} were there before")
    return lines


def _names(nodes: Sequence[PlanNode]) -> str:
    more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
    return ", ".join(node.id for node in nodes[:_SHOWN]) + more
