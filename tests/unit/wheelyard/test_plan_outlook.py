"""How far a plan is by its jobs, and how long the rest takes."""

from dataclasses import replace

import pytest

from tests.plans import node, plan
from wheelyard.jobs.states import Job, Kind, State
from wheelyard.plan import Role, Standing
from wheelyard.plan_outlook import brought_up_to_date, count_standings, needs_in, outlook


def job(job_id="job", state=State.BUILDING, kind=Kind.WHEEL, **fields):
    texts = dict.fromkeys(
        (
            "key",
            "toolchain",
            "channel",
            "title",
            "phase",
            "owner",
            "log",
            "subject",
            "client",
            "trace",
            "queue",
        ),
        "",
    )
    numbers = dict.fromkeys(
        (
            "fence",
            "attempts",
            "waiters",
            "priority",
            "turn",
            "not_before",
            "created_at",
            "started_at",
            "ended_at",
        ),
        0,
    )
    known = {"spec": {}, "result": None, "error": None, "cancel_requested": False}
    return Job(id=job_id, kind=kind, state=state, **{**texts, **numbers, **known, **fields})


BUILD = job("parent", kind=Kind.BUILD)


def standings(found):
    return {one.project: one.standing for one in found}


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (State.QUEUED, Standing.WAITING),
        (State.BUILDING, Standing.BUILDING),
        (State.PUBLISHING, Standing.BUILDING),
        (State.SUCCEEDED, Standing.BUILT),
        (State.FAILED, Standing.FAILED),
        (State.CANCELLED, Standing.FAILED),
    ],
)
def test_a_node_stands_as_its_job_does(state, standing):
    kept = plan(node("a", job="one"), node("b"))
    found = brought_up_to_date(kept, BUILD, {"one": job("one", state)})
    assert standings(found) == {"a": standing, "b": Standing.WAITING}


def test_a_built_node_has_its_wheel():
    made = job("one", State.SUCCEEDED, result={"wheel": {"filename": "a-1.0.whl", "digest": "sha256:1"}})
    native = job("two", State.SUCCEEDED, kind=Kind.NATIVE, result={"digest": "sha256:2", "key": "k"})
    kept = plan(node("a", job="one"), node("b", job="two", role=Role.NATIVE))
    first, second = brought_up_to_date(kept, BUILD, {"one": made, "two": native})
    assert (first.filename, first.digest) == ("a-1.0.whl", "sha256:1")
    assert second.digest == "sha256:2"


def test_a_failure_blocks_what_needs_it_and_nothing_else():
    kept = plan(node("a", job="one"), node("b", needs="a"), node("c", needs="b"), node("d"))
    failed = job("one", State.FAILED, error={"failed": "a 1.0: the compile failed"})
    found = brought_up_to_date(kept, BUILD, {"one": failed})
    assert standings(found) == {
        "a": Standing.FAILED, "b": Standing.BLOCKED, "c": Standing.BLOCKED, "d": Standing.WAITING,
    }  # fmt: skip
    assert [one.reason for one in found] == [
        "a 1.0: the compile failed", "a==1.0 failed", "b==1.0 is blocked", "",
    ]  # fmt: skip


def test_what_waits_when_its_build_ends_badly_is_blocked_and_a_plans_nodes_are_not():
    kept = plan(node("a"))
    (found,) = brought_up_to_date(kept, job(kind=Kind.BUILD, state=State.CANCELLED), {})
    assert (found.standing, found.reason) == (
        Standing.BLOCKED,
        "the build ended as cancelled before its turn",
    )
    (found,) = brought_up_to_date(kept, job(kind=Kind.PLAN, state=State.SUCCEEDED), {})
    assert found.standing is Standing.WAITING


def test_what_is_over_stays_as_the_plan_says():
    kept = plan(node("a", Standing.FAILED, job="one", reason="no"))
    assert brought_up_to_date(kept, BUILD, {"one": job("one", State.SUCCEEDED)}) == kept


def test_every_standing_is_counted():
    counts = count_standings(plan(node("a", Standing.HIT), node("b"), node("c")))
    assert counts == {**dict.fromkeys(Standing, 0), Standing.HIT: 1, Standing.WAITING: 2}


def test_a_circle_at_run_time_keeps_nobody_waiting():
    found = plan(node("a", run_needs=("b==1.0", "a==1.0")), node("b", run_needs=("a==1.0",)))
    assert needs_in(found) == {"a==1.0": (), "b==1.0": ("a==1.0",)}
    assert outlook(found, 1).end_seconds == 20.0


CHAIN = plan(
    node("tool", Standing.HIT),
    node("a", needs=["tool"], seconds=10.0),
    node("b", needs=["tool"], seconds=30.0),
    node("c", needs=["a"], seconds=50.0),
    node("d", needs=["a", "b"], seconds=5.0),
)


def test_the_end_is_reckoned_over_the_workers_longest_path_first():
    assert outlook(CHAIN, 1).end_seconds == outlook(CHAIN, 1).seconds == 95.0
    assert outlook(CHAIN, 2).end_seconds == 60.0
    assert outlook(CHAIN, 100).end_seconds == 60.0


def test_the_chain_that_the_end_waits_for_is_named():
    view = outlook(CHAIN, 2)
    assert (view.path, view.path_seconds) == (("a==1.0", "c==1.0"), 60.0)


def test_what_is_built_already_takes_only_the_rest():
    begun = replace(
        CHAIN, nodes=(CHAIN.nodes[0], replace(CHAIN.nodes[1], standing=Standing.BUILDING), *CHAIN.nodes[2:])
    )
    assert outlook(begun, 2, {"a==1.0": 4.0}).end_seconds == 56.0
    assert outlook(begun, 2, {"a==1.0": 400.0}).end_seconds == 50.0


def test_blocked_nodes_take_no_time_and_nothing_left_is_no_chain():
    view = outlook(plan(node("a", Standing.HIT), node("b", Standing.BLOCKED)), 2)
    assert (view.seconds, view.end_seconds, view.path, view.path_seconds) == (0.0, 0.0, (), 0.0)
