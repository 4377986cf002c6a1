"""An API that dies after it accepted and before it rang."""

from __future__ import annotations

import signal
import time

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.verdict import Table


def test_what_was_accepted_and_never_rung_for_is_built(chaos_stack: ChaosStack, table: Table, full: bool):
    stack = chaos_stack
    stack.calm(apis=1, workers=2, plans=True)
    (api,) = stack.apis
    jobs, recovery = [], []
    for _ in range(10 if full else 1):
        project = stack.add_project()
        # A Redis that does not answer keeps the doorbell from being heard, and nobody waits for it.
        stack.redis.signal_tree(signal.SIGSTOP)
        try:
            answer = stack.post(api, project, headers={"Idempotency-Key": project})
            api.kill()
            killed = time.monotonic()
        finally:
            stack.redis.signal_tree(signal.SIGCONT)
        job = answer.json()["id"]
        jobs.append(job)
        stack.until(lambda job=job: stack.ledger.get(job).fence > 0, "nobody took it", 30)
        recovery.append(time.monotonic() - killed)
        stack.calm(apis=1, workers=2, plans=True)
        # Who asks again, as its client does, waits for the same job.
        answer = stack.post(api, project, headers={"Idempotency-Key": project})
        assert answer.json()["id"] == job
    stack.until_ended(jobs)
    table.judge(stack, "API killed between accepting and ringing", jobs, recovery=recovery)
