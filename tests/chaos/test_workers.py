"""Workers that die or stand still in the middle of a compile."""

from __future__ import annotations

import signal

from tests.chaos.chaos_stack import LEASE_SECONDS, ChaosStack
from tests.chaos.rooms import Room
from tests.chaos.verdict import Table
from wheelyard.jobs.states import Job

# At the default lease of 30 s a takeover may take a minute; these run with a tenth of it, and with an engine
# that needs a while for each container.
_TAKEOVER_SECONDS = LEASE_SECONDS + 20


def holder_in_compile(stack: ChaosStack, job: Job) -> Room:
    held = stack.until_compiles(job)
    holder = stack.holder(held)
    assert holder is not None, held.owner
    return holder


def taken_over(stack: ChaosStack, job: Job, fence: int) -> float:
    """Wait until another claim holds the job; gives the seconds that it took."""
    return stack.until(
        lambda: stack.ledger.get(job.id).fence > fence and stack.ledger.get(job.id).owner != "",
        "nobody took the job over",
        _TAKEOVER_SECONDS,
    )


def test_a_worker_killed_in_the_middle_of_a_compile_loses_nothing(
    chaos_stack: ChaosStack, table: Table, full: bool
):
    stack = chaos_stack
    stack.calm(workers=2)
    jobs, recovery = [], []
    for _ in range(20 if full else 2):
        job = stack.submit_wheel(3.0)
        jobs.append(job.id)
        holder = holder_in_compile(stack, job)
        fence = stack.ledger.get(job.id).fence
        holder.kill()
        recovery.append(taken_over(stack, job, fence))
        holder.start()
    stack.until_ended(jobs)
    table.judge(stack, "worker tree killed with -9 in a compile", jobs, recovery=recovery)


def test_a_worker_that_stands_still_and_wakes_again_publishes_nothing(
    chaos_stack: ChaosStack, table: Table, full: bool
):
    stack = chaos_stack
    stack.calm(workers=2)
    jobs, recovery = [], []
    for _ in range(20 if full else 2):
        job = stack.submit_wheel(3.0)
        jobs.append(job.id)
        zombie = holder_in_compile(stack, job)
        fence = stack.ledger.get(job.id).fence
        zombie.signal_tree(signal.SIGSTOP)
        try:
            recovery.append(taken_over(stack, job, fence))
        finally:
            zombie.signal_tree(signal.SIGCONT)
    stack.until_ended(jobs)
    # It goes on as a worker like any other.
    after = stack.submit_wheel()
    stack.until_ended([after.id])
    table.judge(stack, "worker tree stopped in a compile, woken after", [*jobs, after.id], recovery=recovery)


def test_a_worker_that_stands_still_while_it_publishes_does_not_publish_when_it_wakes(
    chaos_stack: ChaosStack, table: Table, full: bool
):
    stack = chaos_stack
    stack.calm(workers=2)
    jobs, recovery = [], []
    for number in range(6 if full else 2):
        job, hold = stack.submit_held_wheel()
        with hold as held:
            jobs.append(job.id)
            stack.until(lambda held=held: held.met, "its record was not put")
            now = stack.ledger.get(job.id)
            zombie = stack.holder(now)
            assert zombie is not None
            zombie.signal_tree(signal.SIGSTOP)
            try:
                recovery.append(taken_over(stack, job, now.fence))
                if number % 2:
                    # Its record comes after the one of who took over; else it comes first, and wins.
                    stack.until_ended([job.id])
            except AssertionError:
                zombie.signal_tree(signal.SIGCONT)
                raise
        stack.until_ended([job.id])
        zombie.signal_tree(signal.SIGCONT)
    after = [stack.submit_wheel().id for _ in range(2)]
    stack.until_ended(after)
    table.judge(stack, "worker stopped while it publishes, woken after", [*jobs, *after], recovery=recovery)
