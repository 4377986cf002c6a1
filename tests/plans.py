"""Plans for tests: small ones by a word for each node, and a large one of layers."""

from __future__ import annotations

from typing import Any

from wheelyard.plan import Plan, PlanNode, Role, Standing

IMAGE = "sha256:" + "2" * 64
LOCK = "sha256:" + "1" * 64


def node(name: str, standing: Standing = Standing.WAITING, **fields: Any) -> PlanNode:
    """A node of version 1.0; `needs` stands for `build_needs`."""
    needs = fields.pop("needs", ())
    seconds = fields.pop("seconds", 0.0 if standing.is_there else 10.0)
    return PlanNode(
        id=f"{name}==1.0", project=name, version="1.0", standing=standing, seconds=seconds,
        build_needs=tuple(f"{need}==1.0" for need in needs), **fields,
    )  # fmt: skip


def plan(*nodes: PlanNode, toolchain: str = "debian12-cp311", build_deps: str = "source") -> Plan:
    """A plan of these nodes."""
    return Plan(toolchain=toolchain, image=IMAGE, build_deps=build_deps, lock=LOCK, nodes=nodes)


def large_plan(count: int = 150) -> Plan:
    """As a large request's: some tools that all need, layers of libraries, and every standing."""
    nodes: list[PlanNode] = []
    standings = list(Standing)
    roles = [Role.RUNTIME, Role.RUNTIME, Role.BUILD, Role.NATIVE, Role.BOOTSTRAP]
    for number in range(count):
        tools = [f"project-{place}" for place in range(min(3, number))]
        nearer = [f"project-{place}" for place in (number // 3, number * 2 // 3) if 3 <= place < number]
        standing = Standing.HIT if number < 10 else standings[number % len(standings)]
        nodes.append(
            node(
                f"project-{number}", standing, role=roles[number % len(roles)], needs=(*tools, *nearer),
                seconds=0.0 if standing is Standing.HIT else 20.0 + number * 7,
                reason="it needs a compiler that is not there" if standing is Standing.BLOCKED else "",
            )
        )  # fmt: skip
    return plan(*nodes)
