"""Wheels that wait for nothing are begun while the rest of their plan is still being made."""

from __future__ import annotations

import threading
from contextvars import copy_context
from dataclasses import replace
from functools import partial

from wheelyard.build_request import BuildRequest
from wheelyard.errors import Conflict, NotFound
from wheelyard.plan import Plan, PlanNode, Standing
from worker.context import Work
from worker.fitting_wheel import fitting_record
from worker.node_draft import Draft
from worker.toolchain_job import ReadyToolchain
from worker.wheel_job_request import submit_wheel
from worker.wheel_records import whole_record


class EarlyStart:
    """Submits the wheel of a draft as soon as it is made. Safe to use from any number of threads.

    `into` gives the plan that comes of the drafts their jobs. After a worker that died in between they are
    submitted again, and that gives the same jobs: a key has one at a time.
    """

    def __init__(self, work: Work, request: BuildRequest, ready: ReadyToolchain) -> None:
        self._work = work
        self._request = request
        self._ready = ready
        # What is begun is the build's own doing, not that of the phase in which it happens.
        self._context = copy_context()
        self._begun: dict[str, PlanNode] = {}
        self._lock = threading.Lock()

    def begin(self, draft: Draft) -> None:
        """Submit the wheel of a draft that needs no other node, unless it is there or can't be built."""
        inputs = draft.inputs
        if inputs is None or draft.error is not None or draft.natives or draft.runtime_natives:
            return
        services = self._work.services
        with self._lock:
            if whole_record(services, inputs.key) or fitting_record(services, inputs, self._ready.toolchain):
                return
            node = PlanNode(
                id=draft.id, project=draft.project, version=draft.version, inputs=inputs.to_document(),
                key=inputs.key, standing=Standing.WAITING, is_checked=True,
            )  # fmt: skip
            image = self._ready.record.image
            submit = partial(submit_wheel, self._work, self._request, node, image=image, runtime=())
            self._begun[node.id] = replace(node, job=self._context.run(submit))

    def into(self, plan: Plan) -> Plan:
        """The plan with the jobs of what is begun: it may be over by now, and was not there before."""
        begun = self._begun
        nodes = (
            replace(node, key=begun[node.id].key, job=begun[node.id].job) if node.id in begun else node
            for node in plan
        )
        return replace(plan, nodes=tuple(nodes))

    def leave(self) -> None:
        """Wait for none of them any more: there will be no plan. What nobody else waits for is ended."""
        for node in self._begun.values():
            try:
                self._work.services.ledger.cancel(
                    node.job, self._work.services.owner, "there is no plan", waiter=self._work.claim.id
                )
            except (Conflict, NotFound):
                continue
