"""Nodes that are drawn from drafts alone."""

from __future__ import annotations

from wheelyard.plan import PlanNode, Role
from worker.node_draft import Draft
from worker.plan_sketch import Sketch


def test_a_native_that_is_run_is_waited_for_and_nothing_is_compiled_against_it():
    native = PlanNode(id="tally==1.0 (native)", project="tally", version="1.0", role=Role.NATIVE)
    sketch = Sketch(
        from_source=False,
        drafts={
            "top==1.0": Draft(project="top", version="1.0"),
            "runs==1.0": Draft(project="runs", version="1.0", runtime_natives=(native,)),
        },
        run_needs={"top==1.0": frozenset({"runs==1.0"}), "runs==1.0": frozenset()},
    )
    nodes, _ = sketch.nodes({})
    assert [node.id for node in nodes] == [native.id, "runs==1.0", "top==1.0"]
    assert {node.id: node.run_needs for node in nodes[1:]} == {
        "runs==1.0": (native.id,),
        "top==1.0": ("runs==1.0",),
    }
    assert [node.build_needs for node in nodes] == [(), (), ()]
    assert all(node.is_checked for node in nodes[1:])
