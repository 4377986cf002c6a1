"""From a lock to nodes: a pin's sdist and build environment by digest, its build key, hit or miss."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from wheelyard.build_key import BuildInputs
from wheelyard.build_lock import build_lock_key
from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import InfrastructureError, InputError
from wheelyard.jobs.states import Kind
from wheelyard.locks import IndexFile, Lock, Pin
from wheelyard.recipes import Recipe, get_recipe
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from wheelyard.wheel_record import WheelRecord, record_name
from worker.context import Services, Work
from worker.lock_order import levels, needs_of, path_seconds
from worker.resolve import Resolver
from worker.toolchain_job import ReadyToolchain

_FEW_SECONDS = 5.0
_SDIST_BYTES_PER_SECOND = 65_000
"""For what was never built: numpy's sdist has 21 MB and took 300 s, OpenCV's 95 MB and 1,500 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One wheel of a build.

    :param level: its round; it needs only wheels of earlier ones.
    :param hit: whether its wheel was there already.
    :param job: id of its wheel job; empty for a hit, or before its round.
    :param path_seconds: estimate from its start to the end of the longest chain of nodes that need it.
    """

    project: str
    version: str
    level: int
    hit: bool
    inputs: dict[str, Any]
    job: str = ""
    path_seconds: float = 0.0

    @property
    def key(self) -> str:
        """Its build key."""
        return BuildInputs.from_document(self.inputs).key


class Planner:
    """Plans for one job under one toolchain."""

    def __init__(self, *, work: Work, ready: ReadyToolchain, upstream: Upstream) -> None:
        self._work = work
        self._services = work.services
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

    def nodes(self, lock: Lock) -> list[Node]:
        """A node for each pin of a lock, in the order in which they can be made."""
        needs = needs_of(lock.text)
        rounds = levels({pin.project: needs.get(pin.project, frozenset()) for pin in lock.pins})
        nodes = [
            self._node(pin, level)
            for level, names in enumerate(rounds)
            for pin in map(lock.pin, names)
            if pin is not None
        ]
        own = {node.project: 0.0 if node.hit else self._seconds(node) for node in nodes}
        paths = path_seconds(rounds, needs, own)
        return [replace(node, path_seconds=round(paths[node.project], 1)) for node in nodes]

    def _seconds(self, node: Node) -> float:
        """How long a wheel's build is likely to take: as it did before, else as its sdist is large."""
        ledger, toolchain = self._services.ledger, self._work.claim.job.toolchain
        usual = ledger.usual_seconds(Kind.WHEEL, node.project, toolchain)
        if usual is not None:
            return usual
        size = self._services.store.blob_size(Digest.parse(node.inputs["sdist"]))
        return _FEW_SECONDS + (size or 0) / _SDIST_BYTES_PER_SECOND

    def _node(self, pin: Pin, level: int) -> Node:
        services, work, ready = self._services, self._work, self._ready
        sdist = pin.sdist
        if sdist is None:
            raise InputError(
                f"{pin.project} {pin.version} has no sdist on the index",
                expected="a source distribution, since wheels are built from source here",
                do="ask for a version that has one",
            )
        work.check()
        fetch_file(pin.project, sdist, services.store, self._upstream, scratch=work.scratch)
        recipe = get_recipe(pin.project, services.settings.recipes_dir)
        build_wheels: dict[str, str] = {}
        for build_pin in self._environment(sdist, recipe).pins:
            for file in build_pin.wheels:
                fetch_file(build_pin.project, file, services.store, self._upstream, scratch=work.scratch)
                build_wheels[file.filename] = str(file.digest)
        inputs = BuildInputs(
            project=pin.project,
            version=pin.version,
            sdist=str(sdist.digest),
            sdist_filename=sdist.filename,
            toolchain=ready.record.image,
            target=ready.toolchain.policy,
            python_tag=ready.toolchain.python.tag,
            build_wheels=build_wheels,
            environment=recipe.environment,
            config_settings=recipe.config_settings,
        )
        hit = whole_record(services, inputs.key) is not None
        work.log.line(f"{pin.project} {pin.version}: {'hit' if hit else 'to build'}, key {inputs.key[:12]}")
        return Node(
            project=pin.project, version=pin.version, level=level, hit=hit, inputs=inputs.to_document()
        )

    def _environment(self, sdist: IndexFile, recipe: Recipe) -> Lock:
        """The locked build environment of an sdist: the first one holds, so that keys hold, too."""
        services = self._services
        key = build_lock_key(
            sdist=str(sdist.digest),
            image=self._ready.record.image,
            environment=recipe.environment,
            config_settings=recipe.config_settings,
        )
        known = services.catalogue.build_lock(key)
        if known is not None and (lock := load_lock(services, known)) is not None:
            return lock
        path = self._work.scratch / "sdists" / sdist.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        services.store.fetch_blob(sdist.digest, path)
        lock = self.resolver.resolve_build(
            path, sdist.filename, config_settings=recipe.config_settings, environment=recipe.environment
        )
        services.catalogue.set_build_lock(key, keep_lock(services, lock))
        return lock


def keep_lock(services: Services, lock: Lock) -> Digest:
    """Keep a lock in the store; returns its digest."""
    body = canonical_json(lock.to_document())
    digest = Digest.of(body)
    services.store.put_blob(body, digest)
    return digest


def load_lock(services: Services, digest: Digest) -> Lock | None:
    """A lock from the store, or None where it is gone."""
    stream = services.store.open_blob(digest)
    if stream is None:
        return None
    with stream:
        return Lock.from_document(json.loads(stream.read()))


def find_record(services: Services, key: str) -> WheelRecord | None:
    """The record of a build key, or None for a miss."""
    body = services.store.get_document(record_name(key))
    return None if body is None else WheelRecord.from_document(json.loads(body))


def whole_record(services: Services, key: str) -> WheelRecord | None:
    """The record of a build key whose wheel is there, and stays for what is to be made with it; or None."""
    record = find_record(services, key)
    if record is None:
        return None
    sizes = [services.store.renew_blob(digest) for digest in (record.digest, record.metadata_digest)]
    return None if None in sizes else record


def needed_record(services: Services, key: str, *, of: str, do: str) -> WheelRecord:
    """The record of a build key that was there before, and whose wheel is there.

    :param of: what it is the record of, for the error.
    :param do: what the error tells to do.
    :raises InfrastructureError: it is there no more.
    """
    record = whole_record(services, key)
    if record is None:
        raise InfrastructureError(f"the wheel of {of} is not in the store any more", do=do)
    return record
