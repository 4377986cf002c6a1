"""An S3 server that is busy, hangs, loses answers, cuts them off, crawls, or is full."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault_proxy import Fault
from tests.chaos.verdict import Table
from wheelyard.jobs.states import State
from wheelyard.wheel_record import record_name


@pytest.mark.parametrize(
    ("fault", "match", "times"),
    [
        # More often than a request is repeated by the client itself.
        (Fault.BUSY, "", 7),
        (Fault.HANG, "PUT .*/blobs/", 1),
        (Fault.LOST, "PUT ", 4),
        (Fault.CUT, "GET .*/blobs/", 2),
        (Fault.SLOW, "", float("inf")),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_store_that_fails_for_a_while_costs_time_only(
    chaos_stack: ChaosStack, table: Table, full: bool, fault: Fault, match: str, times: float
):
    stack = chaos_stack
    stack.calm(workers=2)
    jobs, recovery = [], []
    for _ in range(5 if full else 1):
        job = stack.submit_wheel()
        jobs.append(job.id)
        began = time.monotonic()
        with stack.proxy.failing(fault, match, times) as failing:
            stack.until_ended([job.id], 240)
        recovery.append(time.monotonic() - began)
        assert failing.met > 0
        # Twice the same answer, or none at all, makes no failure of the build out of it.
        assert stack.ledger.get(job.id).state is State.SUCCEEDED
    words = {
        Fault.BUSY: "answers 503", Fault.HANG: "does not answer", Fault.LOST: "loses its answers to PUTs",
        Fault.CUT: "breaks off in its answers", Fault.SLOW: "is slower by a factor of 100",
    }  # fmt: skip
    table.judge(stack, f"S3 {words[fault]} (until ended)", jobs, recovery=recovery)


def test_the_answer_to_a_record_that_was_lost_does_not_make_another_one(
    chaos_stack: ChaosStack, table: Table
):
    stack = chaos_stack
    stack.calm(workers=2)
    job = stack.submit_wheel()
    began = time.monotonic()
    with stack.proxy.failing(Fault.LOST, f"PUT .*/{record_name(job.key)}", times=1) as failing:
        stack.until_ended([job.id])
    assert failing.met == 1
    table.judge(stack, "S3 loses its answer to a record", [job.id], recovery=[time.monotonic() - began])


def test_a_full_store_fails_visibly_or_is_waited_for(chaos_stack: ChaosStack, table: Table, full: bool):
    stack = chaos_stack
    stack.calm(workers=2)
    ended = []
    for _ in range(3 if full else 1):
        job = stack.submit_wheel()
        # One attempt meets it; the next one comes after a pause.
        with stack.proxy.failing(Fault.FULL, "PUT .*/blobs/", times=1):
            stack.until_ended([job.id], 120)
        ended.append(job.id)
    table.judge(stack, "S3 is full for a while", ended)
    if full:
        job = stack.submit_wheel()
        with contextlib.ExitStack() as faults:
            faults.enter_context(stack.proxy.failing(Fault.FULL, "PUT "))
            stack.until_ended([job.id], 240)
        assert (stack.ledger.get(job.id).error or {})["kind"] == "disk-full"
        table.judge(stack, "S3 stays full", [job.id], wanted=frozenset({State.FAILED}))
