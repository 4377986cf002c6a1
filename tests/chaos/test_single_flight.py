"""Two hundred identical requests at once are one compile; the last one that leaves ends it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.verdict import Table
from wheelyard.jobs.states import Job, Kind, State

_REQUESTS = 200
_GONE_SECONDS = 5.0


def test_two_hundred_requests_over_two_apis_and_four_workers_are_one_compile(
    chaos_stack: ChaosStack, table: Table
):
    stack = chaos_stack
    stack.calm(apis=2, workers=4, plans=True)
    project = stack.add_project(1.0)
    began = time.monotonic()
    with ThreadPoolExecutor(_REQUESTS) as pool:
        answers = list(pool.map(lambda number: stack.post(stack.apis[number % 2], project), range(_REQUESTS)))
    assert {answer.status_code for answer in answers} == {202}
    (build,) = {str(answer.json()["id"]) for answer in answers}
    assert sum(not answer.json()["joined"] for answer in answers) == 1
    assert stack.ledger.get(build).waiters == _REQUESTS
    stack.until_ended([build])
    (wheel,) = stack.ledger.get(build).children
    assert [move["cause"] for move in stack.ledger.transitions(wheel)].count("claimed") == 1
    with ThreadPoolExecutor(16) as pool:
        last = list(pool.map(lambda number: stack.post(stack.apis[number % 2], project), range(_REQUESTS)))
    assert {answer.status_code for answer in last} == {200}
    assert {answer.json()["state"] for answer in last} == {"succeeded"}
    table.judge(
        stack, "200 identical requests, two APIs (until ended)", [build], recovery=[time.monotonic() - began]
    )


def test_the_last_one_that_leaves_ends_the_compile_and_its_container(chaos_stack: ChaosStack, table: Table):
    stack = chaos_stack
    stack.calm(apis=2, workers=2, plans=True)
    project = stack.add_project(100.0)
    answers = [stack.post(api, project).json() for api in stack.apis]
    build = str(answers[0]["id"])
    wheel = _child_of(stack, build)
    stack.until_compiles(wheel)
    for answer in answers[:-1]:
        assert stack.leave(stack.apis[0], build, str(answer.get("waiter", ""))).status_code == 200
    assert stack.ledger.get(wheel.id).state is State.BUILDING
    left = time.monotonic()
    answer = stack.leave(stack.apis[1], build, str(answers[-1].get("waiter", "")))
    assert answer.status_code == 200, answer.text
    gone = stack.until(
        lambda: not any(one.job == wheel.id for one in stack.engine.containers()),
        "its container is there still",
        _GONE_SECONDS,
    )
    stack.until_ended([build, wheel.id], 20)
    assert gone < _GONE_SECONDS
    table.judge(
        stack, "the last one leaves (until the container is gone)", [build],
        recovery=[time.monotonic() - left], wanted=frozenset({State.CANCELLED}),
    )  # fmt: skip


def _child_of(stack: ChaosStack, build: str) -> Job:
    stack.until(lambda: stack.ledger.get(build).children, "it was not planned")
    (child,) = stack.ledger.get_many(stack.ledger.get(build).children)
    assert child.kind is Kind.WHEEL
    return child
