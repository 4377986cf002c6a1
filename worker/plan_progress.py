"""A plan while it is carried out: standings from jobs, keys as soon as they can be known, and what is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from wheelyard.build_key import BuildInputs
from wheelyard.errors import WheelyardError, from_document
from wheelyard.jobs.states import Job
from wheelyard.node_standing import as_its_job, blocked_by, error_of
from wheelyard.plan import Plan, PlanNode, Role, Standing
from wheelyard.toolchains import Toolchain
from worker.context import Services
from worker.fitting_wheel import fitting_record
from worker.wheel_records import whole_record

_AT_ONCE = 4


class PlanProgress:
    """The nodes of one plan, as far as they are by now.

    :param toolchain: that of the plan.
    :param errors: of the nodes that can't be built, or failed, by id; grows.
    """

    def __init__(
        self, plan: Plan, services: Services, toolchain: Toolchain, errors: Mapping[str, WheelyardError]
    ) -> None:
        self._plan = plan
        self._services = services
        self._toolchain = toolchain
        self.errors = dict(errors)
        self.nodes = {node.id: node for node in plan}
        self._running = _closures(plan)

    @property
    def plan(self) -> Plan:
        """The plan as it stands."""
        return replace(self._plan, nodes=tuple(self.nodes.values()))

    @property
    def lean_plan(self) -> Plan:
        """The plan without the inputs of what is there, which its record has, too."""
        nodes = (replace(node, inputs={}) if node.standing.is_there else node for node in self.nodes.values())
        return replace(self._plan, nodes=tuple(nodes))

    @property
    def awaited(self) -> tuple[str, ...]:
        """Ids of the jobs that the plan waits for, each once."""
        nodes = self.nodes.values()
        return tuple(dict.fromkeys(node.job for node in nodes if node.job and not node.standing.is_over))

    @property
    def told_by(self) -> tuple[str, ...]:
        """Ids of the jobs that say how nodes stand, or why they failed."""
        nodes = self.nodes.values()
        return tuple(dict.fromkeys(node.job for node in nodes if node.job and not node.standing.is_there))

    @property
    def is_there(self) -> bool:
        """Whether every node is there."""
        return all(node.standing.is_there for node in self.nodes.values())

    def runs_with(self, node: PlanNode) -> list[PlanNode]:
        """All that a node needs at run time, directly or not, in the plan's order."""
        wanted = self._running[node.id]
        return [one for one in self.nodes.values() if one.id in wanted]

    def take_in(self, jobs: Iterable[Job]) -> None:
        """Bring nodes up to date from their jobs."""
        by_id = {job.id: job for job in jobs}
        for node in self.nodes.values():
            job = by_id.get(node.job)
            if job is not None and not node.standing.is_there:
                self.nodes[node.id] = self._as_its_job(node, job)

    def _as_its_job(self, node: PlanNode, job: Job) -> PlanNode:
        node = as_its_job(node, job)
        if node.standing is Standing.FAILED:
            error = error_of(job)
            error.facts["failed_job"] = job.id
            self.errors[node.id] = error
        return node

    def settle(self) -> None:
        """Give a key to each node whose inputs are whole, find the hits, block what can't come any more."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="keys") as pool:
            while fresh := [node for node in self.nodes.values() if self._can_have_key(node)]:
                for node in pool.map(self._keyed, fresh):
                    self.nodes[node.id] = node
        for node in self.nodes.values():
            if node.standing is Standing.WAITING and not node.job:
                needs = (*node.build_needs, *sorted(self._running[node.id]))
                self.nodes[node.id] = blocked_by(node, map(self.nodes.__getitem__, needs))

    def _can_have_key(self, node: PlanNode) -> bool:
        waits = node.standing is Standing.WAITING and not node.key and not node.job
        return waits and node.role is not Role.NATIVE and self._are_there(node.build_needs)

    def _are_there(self, ids: Iterable[str]) -> bool:
        return all(self.nodes[one].standing.is_there for one in ids)

    def _keyed(self, node: PlanNode) -> PlanNode:
        """A node with its whole inputs and its key; a hit where there is a wheel of these."""
        inputs = BuildInputs.from_document(node.inputs)
        wheels, natives = dict(inputs.build_wheels), dict(inputs.natives)
        for need in map(self.nodes.__getitem__, node.build_needs):
            if need.role is Role.NATIVE:
                natives[need.project] = need.digest
            else:
                wheels[need.filename] = need.digest
        inputs = replace(inputs, build_wheels=dict(sorted(wheels.items())), natives=natives)
        node = replace(node, inputs=inputs.to_document(), key=inputs.key)
        record = whole_record(self._services, inputs.key) or fitting_record(
            self._services, inputs, self._toolchain
        )
        if record is None:
            return node
        return replace(
            node, standing=Standing.HIT, key=record.key, digest=str(record.digest), filename=record.filename,
            seconds=0.0,
        )  # fmt: skip

    def due(self) -> list[PlanNode]:
        """The nodes whose jobs can be submitted now, the longest path first."""
        found = [
            node
            for node in self.nodes.values()
            if node.standing is Standing.WAITING and node.key and not node.job
            if self._are_there(node.build_needs) and self._are_there(self._running[node.id])
        ]
        return sorted(found, key=lambda node: -node.path_seconds)

    def submitted(self, node: PlanNode, job: str) -> None:
        """Note the job that builds a node."""
        self.nodes[node.id] = replace(node, job=job)

    def changed(self, before: Plan) -> list[PlanNode]:
        """The nodes that stand otherwise than in an earlier plan."""
        known = {node.id: (node.standing, node.job) for node in before}
        return [node for node in self.nodes.values() if known.get(node.id) != (node.standing, node.job)]

    def errors_document(self) -> dict[str, Any]:
        """The errors of what no job was about, for the job's spec; `read_errors` is the inverse."""
        return {
            node_id: error.to_document()
            for node_id, error in self.errors.items()
            if "failed_job" not in error.facts
        }


def read_errors(document: Mapping[str, Any]) -> dict[str, WheelyardError]:
    """Inverse of `PlanProgress.errors_document`."""
    return {node_id: from_document(error) for node_id, error in document.items()}


def _closures(plan: Plan) -> dict[str, frozenset[str]]:
    """All that each node needs at run time, directly or not; a node stands behind those that it needs."""
    found: dict[str, frozenset[str]] = {}
    for node in plan:
        direct = frozenset(node.run_needs)
        found[node.id] = direct.union(*(found[need] for need in node.run_needs))
    return found
