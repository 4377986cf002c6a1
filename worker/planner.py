"""From a lock to a plan: each pin, and all that it is built with, gets a node; seeds break the cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TypeVar

from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, InputError, NotFound, WheelyardError
from wheelyard.jobs.states import Kind
from wheelyard.locks import IndexFile, Lock, Pin
from wheelyard.plan import Plan, Role
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from worker.context import Work
from worker.early_start import EarlyStart
from worker.likely_seconds import likely_seconds
from worker.node_draft import Draft, Drafting
from worker.plan_graph import cycles
from worker.plan_sketch import Sketch
from worker.resolve import Resolver
from worker.toolchain_job import ReadyToolchain
from worker.wheel_choice import best_wheel
from worker.wheel_clashes import known_wheels, refuse_clashes

_AT_ONCE = 3
"""Build environments that are asked for at the same time: each has two containers, and waits for an index."""
Given = TypeVar("Given")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and the errors of those of its nodes that can't be built, by id."""

    plan: Plan
    errors: Mapping[str, WheelyardError]


class Planner:
    """Plans for one job under one toolchain."""

    def __init__(
        self, *, work: Work, request: BuildRequest, ready: ReadyToolchain, upstream: Upstream
    ) -> None:
        self._work = work
        self._services = work.services
        self._request = request
        self._ready = ready
        self._upstream = upstream
        self.resolver = Resolver(
            engine=self._services.engine,
            image=ready.image,
            toolchain=ready.toolchain,
            upstream=upstream,
            store=self._services.store,
            settings=self._services.settings,
            job=work.claim.id,
            owner=self._services.owner,
            scratch=work.scratch,
            report=work.log.line,
            watch=work.watch,
        )
        self._drafting = Drafting(
            work=work, request=request, ready=ready, upstream=upstream, resolver=self.resolver
        )

    def allowed(self, lock: Lock) -> Lock:
        """The lock with no sdist but those that the request's own hashes allow.

        :raises InputError: they allow none of some project, or two of its projects exclude each other, or
            would write one path of an image.
        """
        wanted = self._request.hashes
        pins = tuple(
            replace(pin, files=tuple(file for file in pin.files if str(file.digest) in wanted[pin.project]))
            if pin.project in wanted
            else pin
            for pin in lock.pins
        )
        refused = [
            before for before, pin in zip(lock.pins, pins, strict=True) if before.sdist and not pin.sdist
        ]
        if refused:
            raise InputError(
                "the hashes of the request allow no sdist of "
                + ", ".join(f"{pin.project} {pin.version}" for pin in refused),
                expected="; ".join(", ".join(wanted[pin.project]) for pin in refused),
                found="; ".join(f"{file.filename}, {file.digest}" for pin in refused if (file := pin.sdist)),
                do="wheels are built from sdists here: lock again with the hashes of those, too",
                projects=[pin.project for pin in refused],
            )
        self._refuse_exclusive(pins)
        if self._services.ledger.is_for(self._work.claim.id, Kind.IMAGE):
            # They will lie in one folder. Who only wants the wheels may have both.
            catalogue, named = self._services.catalogue, [(pin.project, pin.version) for pin in pins]
            known = known_wheels(catalogue, self._request.channel, named)
            refuse_clashes(self._services.store, known)
        return replace(lock, pins=pins)

    def _refuse_exclusive(self, pins: Sequence[Pin]) -> None:
        there = {pin.project for pin in pins}
        for pin in pins:
            try:
                others = there.intersection(self._drafting.recipe(pin).exclusive) - {pin.project}
            except InputError:
                # What is wrong with a recipe is told of its own node.
                continue
            if others:
                raise InputError(
                    f"{pin.project} can't be installed beside {', '.join(sorted(others))}",
                    expected="one of them",
                    found="the requirements need both, themselves or through others",
                    do=f"leave one out; `wheelyard recipe show {pin.project}` says which exclude each other",
                    projects=sorted({pin.project, *others}),
                )

    def plan(self, lock: Lock, digest: str, early: EarlyStart | None = None) -> Planned:
        """The plan of a lock. No key is computed yet, and nothing is looked up in the cache.

        :param lock: as `allowed` gives it.
        :param digest: of the lock as it is kept.
        :param early: begins what needs nothing else of the plan as soon as it is known.
        :raises InfrastructureError: something that we stand on failed.
        :raises Cancelled: the job was cancelled.
        """
        if self._request.build_deps == "wheels":
            # These are all that is built, and what is wrong with them is said before anything is begun.
            self._refuse_unknown_variants({pin.project for pin in lock.pins})
        sketch = self._sketch(lock, early)
        if sketch.from_source:
            self._refuse_unknown_variants({draft.project for draft in sketch.drafts.values()})
        nodes, errors = sketch.nodes(self._seeds(sketch))
        for node in nodes:
            if node.role is Role.SEED:
                file = IndexFile(filename=node.filename, digest=Digest.parse(node.digest))
                fetch_file(
                    node.project, file, self._services.store, self._upstream, scratch=self._work.scratch
                )
        plan = Plan(
            toolchain=self._ready.toolchain.name,
            image=self._ready.record.image,
            build_deps=self._request.build_deps,
            lock=digest,
            nodes=tuple(nodes),
        )
        return Planned(plan=plan, errors=errors)

    def _refuse_unknown_variants(self, projects: set[str]) -> None:
        unknown = sorted(self._request.variants.keys() - projects)
        if unknown:
            raise InputError(
                f"a variant is asked for of what is not built: {', '.join(unknown)}",
                expected=f"one of {', '.join(sorted(projects))}",
                do="mend the project's name, or leave the variant out",
                projects=unknown,
            )

    def _sketch(self, lock: Lock, early: EarlyStart | None) -> Sketch:
        """Drafts of the lock's pins, then of what these are built with, and so on to the root."""
        sketch = Sketch(from_source=self._request.build_deps == "source")
        pins = sketch.note(lock)
        sketch.runtime = frozenset(pins)

        def draft_of(pin: Pin) -> Draft:
            draft = self._drafting.draft(pin)
            needs = sketch.run_needs[f"{pin.project}=={pin.version}"]
            built_with = draft.environment.pins if sketch.from_source else ()
            if early is not None and not needs and not built_with:
                early.begin(draft)
            return draft

        while pins:
            if early is not None:
                pins = self._longest_first(pins)
            drafts = self._each(draft_of, pins.values())
            sketch.drafts |= dict(zip(pins, drafts, strict=True))
            pins = {}
            if sketch.from_source:
                for draft in drafts:
                    pins |= sketch.note(draft.environment)
            pins = {name: pin for name, pin in pins.items() if name not in sketch.drafts}
        return sketch

    def _longest_first(self, pins: Mapping[str, Pin]) -> dict[str, Pin]:
        """The same pins, those first that are likely to take longest: they are begun in this order."""

        def seconds(pin: Pin) -> float:
            try:
                sdist = self._drafting.fetch_sdist(pin)
            except (BuildFailed, InputError):
                # Its draft meets the same, and says it of the node.
                return 0.0
            return likely_seconds(self._services, pin.project, self._ready.toolchain.name, sdist.digest)

        found = dict(zip(pins, self._each(seconds, pins.values()), strict=True))
        return {name: pins[name] for name in sorted(pins, key=lambda name: -found[name])}

    def _seeds(self, sketch: Sketch) -> dict[str, IndexFile]:
        """Upstream's wheels of the members of cycles, by id, as far as there are any."""
        members = {node_id for found in cycles(sketch.build_needs()) for node_id in found}
        drafts = [draft for draft in sketch.drafts.values() if draft.id in members]

        def seed(project: str, version: str) -> IndexFile | None:
            try:
                files = self._upstream.listing(project).of_version(version)
            except NotFound:
                return None
            wheel = best_wheel(files, self._ready.toolchain)
            if wheel is None or wheel.digest is None:
                return None
            return IndexFile(filename=wheel.filename, digest=wheel.digest)

        found = self._each(lambda draft: seed(draft.project, draft.version), drafts)
        return {draft.id: file for draft, file in zip(drafts, found, strict=True) if file is not None}

    def _each(self, step: Callable[[Given], Answer], items: Iterable[Given]) -> list[Answer]:
        """A step for each of several, some at the same time; the first error that one raises ends it."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="plan") as pool:
            futures = [pool.submit(copy_context().run, step, item) for item in items]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
