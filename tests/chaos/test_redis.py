"""A Redis that dies, comes back empty, or stands still: it is a doorbell and no more."""

from __future__ import annotations

import signal
import time

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.test_workers import holder_in_compile, taken_over
from tests.chaos.verdict import Table


def test_a_redis_that_is_killed_and_comes_back_empty_loses_nothing(
    chaos_stack: ChaosStack, table: Table, full: bool
):
    stack = chaos_stack
    stack.calm(apis=1, workers=2, plans=True)
    (api,) = stack.apis
    jobs, recovery = [], []
    for _ in range(5 if full else 1):
        running = stack.submit_wheel(3.0)
        jobs.append(running.id)
        stack.until_compiles(running)
        jobs += [stack.submit_wheel().id for _ in range(2)]
        stack.redis.kill()
        # It is accepted without a doorbell, and at once.
        began = time.monotonic()
        jobs.append(stack.accept(api, stack.add_project()))
        assert time.monotonic() - began < 5
        stack.empty_redis()
        stack.start_redis()
        came_back = time.monotonic()
        stack.until_ended(jobs)
        recovery.append(time.monotonic() - came_back)
    table.judge(stack, "Redis killed with -9, back empty (until all ended)", jobs, recovery=recovery)


def test_a_redis_that_stands_still_keeps_nobody_from_taking_over(
    chaos_stack: ChaosStack, table: Table, full: bool
):
    stack = chaos_stack
    stack.calm(apis=1, workers=2, plans=True)
    (api,) = stack.apis
    job = stack.submit_wheel(3.0)
    holder = holder_in_compile(stack, job)
    fence = stack.ledger.get(job.id).fence
    stack.redis.signal_tree(signal.SIGSTOP)
    stood = time.monotonic()
    try:
        holder.kill()
        began = time.monotonic()
        jobs = [job.id, stack.accept(api, stack.add_project())]
        assert time.monotonic() - began < 5
        # Leases run out all the same, and a worker looks at its queues by itself every few seconds.
        recovery = [taken_over(stack, job, fence)]
        holder.start()
        time.sleep(max(0.0, (60 if full else 5) - (time.monotonic() - stood)))
    finally:
        stack.redis.signal_tree(signal.SIGCONT)
    stack.until_ended(jobs)
    table.judge(stack, "Redis stands still, a worker is killed meanwhile", jobs, recovery=recovery)
