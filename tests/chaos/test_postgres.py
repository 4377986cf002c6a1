"""A PostgreSQL that restarts, in order and by a crash."""

from __future__ import annotations

import time

import pytest

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.verdict import Table


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_that_restarts_ends_no_process_and_no_build(
    chaos_stack: ChaosStack, table: Table, full: bool, mode: str
):
    stack = chaos_stack
    stack.calm(apis=1, workers=2, plans=True)
    (api,) = stack.apis
    before = {room.name: room.pid for room in stack.rooms}
    jobs, recovery = [], []
    for _ in range(5 if full else 1):
        running = stack.submit_wheel(3.0)
        held = stack.until_compiles(running)
        jobs += [running.id, stack.accept(api, stack.add_project())]
        stack.postgres.stop(mode)
        assert stack.post(api, "chaos").status_code == 503
        stack.postgres.start()
        came_back = time.monotonic()
        stack.until_ended(jobs)
        recovery.append(time.monotonic() - came_back)
        # It was away for less than a lease: what compiled went on, under the same claim.
        assert stack.ledger.get(running.id).fence == held.fence
    assert {room.name: room.pid for room in stack.rooms} == before
    table.judge(stack, f"PostgreSQL restarted, {mode} (until all ended)", jobs, recovery=recovery)
