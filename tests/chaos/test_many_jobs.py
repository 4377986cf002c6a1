"""A long queue over four workers."""

from __future__ import annotations

import time

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.verdict import Table


def test_a_long_queue_is_worked_off_and_nothing_of_it_is_lost(
    chaos_stack: ChaosStack, table: Table, full: bool
):
    stack = chaos_stack
    count = 1000 if full else 20
    jobs = [stack.submit_wheel().id for _ in range(count)]
    began = time.monotonic()
    stack.calm(workers=4)
    stack.until_ended(jobs, 6 * count)
    seconds = time.monotonic() - began
    owners = {
        move["actor"] for job in jobs for move in stack.ledger.transitions(job) if move["cause"] == "claimed"
    }
    assert len(owners) == 4
    table.judge(stack, f"{count} queued jobs, four workers (until all ended)", jobs, recovery=[seconds])
