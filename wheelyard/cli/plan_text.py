"""A plan as the commands print it: a table or a tree of its nodes, the totals, and the longest chain."""

from __future__ import annotations

from collections.abc import Iterator

from wheelyard.cli.queue_text import about_text
from wheelyard.cli.tables import write_line, write_table, write_wrapped
from wheelyard.plan import Plan, PlanNode, Role, Standing
from wheelyard.plan_answer import PlanAnswer
from wheelyard.plan_outlook import Outlook, count_standings, needs_in

STANDING_WORDS = {
    Standing.HIT: "hit",
    Standing.WAITING: "build",
    Standing.BUILDING: "building",
    Standing.BUILT: "built",
    Standing.FAILED: "failed",
    Standing.BLOCKED: "blocked",
}


def write_plan(answer: PlanAnswer, *, tree: bool) -> None:
    """Write a plan: its nodes, what they come to, and what the end waits for longest.

    :param tree: each node below the one that needs it, and not a table.
    """
    plan = answer.plan
    if plan is None:
        write_line(f"{answer.job.title or answer.job.id} has no plan yet: it is {_state(answer)}")
        return
    if tree:
        for line in _tree(plan):
            write_line(line)
    else:
        write_table(
            ("NODE", "ROLE", "STANDING", "ESTIMATE", "REASON"), [_row(node) for node in plan], right=(3,)
        )
    write_line()
    write_line(counts_text(plan))
    if answer.outlook is not None:
        write_outlook(answer.outlook)


def write_outlook(view: Outlook) -> None:
    """Write how long the rest is likely to take; nothing where nothing is left."""
    if not view.path:
        return
    at_once = "one at a time" if view.workers == 1 else f"{view.workers} at a time"
    write_line(f"{about_text(view.seconds)} of building, {at_once} done in {about_text(view.end_seconds)}")
    if len(view.path) > 1:
        write_wrapped(f"longest chain, {about_text(view.path_seconds)}: {' -> '.join(view.path)}")


def counts_text(plan: Plan) -> str:
    """How many nodes there are and how they stand: `12 nodes: 9 hit, 3 build`."""
    counts = count_standings(plan)
    said = ", ".join(f"{count} {STANDING_WORDS[one]}" for one, count in counts.items() if count)
    return f"{len(plan.nodes)} node{'' if len(plan.nodes) == 1 else 's'}: {said or 'none'}"


def estimate_text(node: PlanNode) -> str:
    """How long a node's build takes, where it is not over; a dash where nobody knows."""
    if node.standing.is_over:
        return ""
    return about_text(node.seconds).removeprefix("about ") if node.seconds else "-"


def _row(node: PlanNode) -> tuple[str, ...]:
    return node.id, node.role.value, STANDING_WORDS[node.standing], estimate_text(node), _reason(node)


def _reason(node: PlanNode) -> str:
    return " ".join(node.reason.split())


def _tree(plan: Plan) -> Iterator[str]:
    """Each node below those that need it; what was said already is not said again with all its needs."""
    nodes = {node.id: node for node in plan}
    needs_of = needs_in(plan)
    needed = {need for needs in needs_of.values() for need in needs}
    said: set[str] = set()

    def branch(node: PlanNode, depth: int, runs: bool) -> Iterator[str]:
        needs = needs_of[node.id]
        again = node.id in said and bool(needs)
        yield "  " * depth + _branch_text(node, runs=runs) + (" (see above)" if again else "")
        if again:
            return
        said.add(node.id)
        for name in needs:
            yield from branch(nodes[name], depth + 1, name not in node.build_needs)

    for node in plan:
        if node.id not in needed:
            yield from branch(node, 0, False)


def _branch_text(node: PlanNode, *, runs: bool) -> str:
    words = [STANDING_WORDS[node.standing], estimate_text(node), _reason(node)]
    role = "runs with " if runs else ""
    shown = f"{node.role} " if node.role is Role.NATIVE else ""
    return f"{role}{shown}{node.id}  {', '.join(word for word in words if word and word != '-')}"


def _state(answer: PlanAnswer) -> str:
    job = answer.job
    return f"{job.state} ({job.phase})" if job.phase else job.state
