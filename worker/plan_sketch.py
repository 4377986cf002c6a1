"""The sketch of a plan: its drafts and who needs whom, and how the nodes are drawn from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from wheelyard.errors import InputError, WheelyardError
from wheelyard.locks import IndexFile, Lock, Pin
from wheelyard.plan import PlanNode, Role, Standing
from worker.lock_needs import needs_of
from worker.node_draft import Draft
from worker.plan_graph import BrokenGraph, break_cycles, components, without_circles


@dataclass(slots=True, kw_only=True)
class Sketch:
    """What is known before there are nodes, by `NAME==VERSION`.

    :param from_source: whether what is built with something needs nodes of its own for that.
    :param run_needs: what each needs at run time, as the first lock says that has it.
    :param runtime: those of the request's own lock.
    """

    from_source: bool
    drafts: dict[str, Draft] = field(default_factory=dict)
    run_needs: dict[str, frozenset[str]] = field(default_factory=dict)
    runtime: frozenset[str] = frozenset()

    def note(self, lock: Lock) -> dict[str, Pin]:
        """Take note of a lock's run-time needs; gives its pins."""
        pins = {f"{pin.project}=={pin.version}": pin for pin in lock.pins}
        names = {pin.project: name for name, pin in pins.items()}
        needs = needs_of(lock.text)
        for name, pin in pins.items():
            found = frozenset(names[need] for need in needs.get(pin.project, ()) if need in names)
            self.run_needs.setdefault(name, found)
        return pins

    def build_needs(self) -> dict[str, frozenset[str]]:
        """Ids of the nodes that each node is built with, cycles and all."""
        return {draft.id: frozenset(self._built_with(draft)) for draft in self.drafts.values()}

    def _built_with(self, draft: Draft) -> Iterator[str]:
        for pin in draft.environment.pins if self.from_source else ():
            yield self.drafts[f"{pin.project}=={pin.version}"].id

    def nodes(self, seeds: Mapping[str, IndexFile]) -> tuple[list[PlanNode], dict[str, WheelyardError]]:
        """The nodes, each behind those that it needs, and the errors of those that can't be built, by id.

        :param seeds: wheels that can stand in for members of cycles, by id.
        """
        graph = break_cycles(self.build_needs(), seeds)
        errors = {draft.id: draft.error for draft in self.drafts.values() if draft.error is not None}
        errors |= {node_id: _without_seed(way) for node_id, way in graph.stuck.items()}
        nodes = self._drawn(graph, seeds)
        build = {node.id: frozenset(node.build_needs) for node in nodes.values()}
        wanted = {
            draft.id: frozenset(self.drafts[need].id for need in self.run_needs[name])
            | {native.id for native in draft.runtime_natives}
            for name, draft in self.drafts.items()
        }
        run = without_circles(build, wanted)
        order = components({node_id: build[node_id] | run[node_id] for node_id in nodes})
        return [
            _placed(nodes[node_id], run[node_id], wanted.get(node_id), errors.get(node_id))
            for (node_id,) in order
        ], errors

    def _drawn(self, graph: BrokenGraph, seeds: Mapping[str, IndexFile]) -> dict[str, PlanNode]:
        """The nodes with what they are built with, by id."""
        nodes: dict[str, PlanNode] = {}
        for name, draft in self.drafts.items():
            nodes |= {native.id: native for native in (*draft.natives, *draft.runtime_natives)}
            natives = {native.id for native in draft.natives}
            own = PlanNode(
                id=draft.id,
                project=draft.project,
                version=draft.version,
                role=Role.RUNTIME if name in self.runtime else Role.BUILD,
                build_needs=tuple(sorted(graph.needs[draft.id] | natives)),
                inputs=draft.inputs.to_document() if draft.inputs else {},
            )
            nodes[own.id] = own
            if own.id in graph.bootstraps:
                first = graph.bootstraps[own.id]
                needs = tuple(sorted(graph.needs[first] | natives))
                nodes[first] = replace(own, id=first, role=Role.BOOTSTRAP, build_needs=needs)
            if own.id in graph.seeds:
                seed, file = graph.seeds[own.id], seeds[own.id]
                nodes[seed] = PlanNode(
                    id=seed, project=own.project, version=own.version, role=Role.SEED, standing=Standing.HIT,
                    filename=file.filename, digest=str(file.digest),
                )  # fmt: skip
        return nodes


def _placed(
    node: PlanNode, run: frozenset[str], wanted: frozenset[str] | None, error: WheelyardError | None
) -> PlanNode:
    """A node with what it runs with.

    :param run: ids of the nodes that it waits for.
    :param wanted: ids of all that it needs at run time; None where that is not asked, as of a bootstrap.
    :param error: why it can't be built.
    """
    node = replace(node, run_needs=tuple(sorted(run)), is_checked=wanted is not None and wanted == run)
    return node if error is None else replace(node, standing=Standing.BLOCKED, reason=error.failed)


def _without_seed(way: tuple[str, ...]) -> WheelyardError:
    first = way[0].partition("[")[0]
    return InputError(
        f"a cycle without a seed: {' is built with '.join(way)}",
        expected="an upstream wheel that fits the toolchain, of one of them, to begin with",
        found="none of them has one on the index",
        do=f"publish a wheel of {first} to the index, break the cycle with `replace_build_requires` in the "
        f"recipe of one of them, or ask with `--build-deps wheels`",
        cycle=list(way),
    )
