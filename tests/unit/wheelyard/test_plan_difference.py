"""What a change of a request would let be built, and which inputs differ."""

from dataclasses import replace

from tests.plans import node, plan
from tests.unit.wheelyard.test_build_key import INPUTS
from wheelyard.plan import Standing
from wheelyard.plan_difference import Fate, plan_difference

CYTHON = {"Cython-3.1.0-py3-none-any.whl": "sha256:" + "3" * 64}


def fates(now, then):
    return {one.node.project: one.fate for one in plan_difference(now, then)}


def inputs(**fields):
    return replace(INPUTS, **fields).to_document()


def test_each_node_has_its_fate():
    now = plan(
        node("same", Standing.HIT, key="k1"),
        node("rebuilt", Standing.HIT, key="k2"),
        node("waiting"),
        node("swapped", Standing.HIT, key="k3"),
        node("broken", Standing.HIT, key="k4"),
        node("gone", Standing.HIT),
    )
    then = plan(
        node("same", Standing.HIT, key="k1"),
        node("rebuilt", key="k5"),
        node("waiting"),
        node("swapped", Standing.HIT, key="k6"),
        node("broken", Standing.BLOCKED),
        node("new"),
    )
    assert fates(now, then) == {
        "same": Fate.SAME, "rebuilt": Fate.REBUILT, "waiting": Fate.EITHER_WAY, "swapped": Fate.TAKEN,
        "broken": Fate.BLOCKED, "new": Fate.NEW, "gone": Fate.GONE,
    }  # fmt: skip


def test_what_is_blocked_either_way_is_the_same():
    blocked = plan(node("a", Standing.BLOCKED))
    assert fates(blocked, blocked) == {"a": Fate.SAME}


def test_another_version_or_variant_is_compared_with_what_stood_in_its_place():
    now = plan(replace(node("demo", Standing.HIT, inputs=inputs()), id="demo==1.0"))
    then = plan(replace(node("demo", inputs=inputs(variant="video")), id="demo==1.0[video]"))
    (one,) = plan_difference(now, then)
    assert one.fate is Fate.REBUILT
    assert [change.text for change in one.changes] == ["the variant changed from the default to video"]


def test_the_inputs_that_differ_are_named():
    now = plan(node("demo", Standing.HIT, key="k1", inputs=inputs()))
    then = plan(node("demo", key="k2", inputs=inputs(toolchain="sha256:" + "9" * 64)))
    (one,) = plan_difference(now, then)
    assert [change.field for change in one.changes] == ["toolchain"]


def test_a_wheel_that_is_built_first_is_neither_new_nor_gone():
    now = plan(node("demo", Standing.HIT, key="k1", inputs=inputs(build_wheels=CYTHON)))
    then = plan(
        replace(node("cython"), version="3.2.1"),
        node("demo", needs=["cython"], inputs=inputs(build_wheels={}, build_deps="source")),
    )
    _cython, demo = plan_difference(now, then)
    assert [change.text for change in demo.changes] == [
        "the cython wheel is one that is built first (3.2.1), and not 3.1.0",
        "where the build requirements come from changed from wheels to source",
    ]
    demo, _gone = plan_difference(then, now)
    assert demo.changes[0].text == "the cython wheel is 3.1.0, and not one that is built first (3.2.1)"


def test_without_inputs_nothing_is_said_of_them():
    now, then = plan(node("demo", Standing.HIT, key="k1")), plan(node("demo", key="k2"))
    assert plan_difference(now, then)[0].changes == ()
