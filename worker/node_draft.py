"""Drafts: one pin with its sdist, recipe and build environment, before it has a place in a plan's graph."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement

from wheelyard.build_key import BuildInputs
from wheelyard.build_lock import build_lock_key
from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest, key_of
from wheelyard.errors import BuildFailed, InputError, TimedOut, WheelyardError
from wheelyard.locks import IndexFile, Lock, Pin
from wheelyard.plan import PlanNode
from wheelyard.recipes import Recipe, get_recipe
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from worker.build_container import fetch
from worker.checked_sdist import checked_sdist
from worker.context import Work
from worker.kept_locks import keep_lock, load_lock
from worker.mend import name_mend, package_search
from worker.native_job import native_node
from worker.recipe_packages import image_with_packages, lock_packages
from worker.resolve import Resolver
from worker.toolchain_job import ReadyToolchain

NOTHING = Lock(pins=(), text="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of one pin by itself.

    :param variant: of its recipe; empty for the default.
    :param inputs: without the wheels of other nodes; None where they could not be made.
    :param environment: the lock of what it is built with; empty where that could not be made.
    :param natives: the native artifacts that it is compiled against.
    :param runtime_natives: those whose programs it runs.
    :param error: why it can't be built; None where it can.
    """

    project: str
    version: str
    variant: str = ""
    inputs: BuildInputs | None = None
    environment: Lock = NOTHING
    natives: tuple[PlanNode, ...] = ()
    runtime_natives: tuple[PlanNode, ...] = ()
    error: WheelyardError | None = None

    @property
    def id(self) -> str:
        """Id of its node."""
        return f"{self.project}=={self.version}" + (f"[{self.variant}]" if self.variant else "")


class Drafting:
    """Makes drafts for one job under one toolchain. Safe to use from any number of threads.

    :param resolver: locks the build environments that are not known yet.
    """

    def __init__(
        self, *, work: Work, request: BuildRequest, ready: ReadyToolchain, upstream: Upstream,
        resolver: Resolver,
    ) -> None:  # fmt: skip
        self._work = work
        self._services = work.services
        self._request = request
        self._ready = ready
        self._upstream = upstream
        self._resolver = resolver
        self._one_apt = threading.Lock()
        self._natives: dict[str, PlanNode] = {}

    def recipe(self, pin: Pin) -> Recipe:
        """The recipe of a pin, in the variant that the request names.

        :raises InputError: the file is not a recipe, or has no such variant.
        """
        variant = self._request.variants.get(pin.project, "")
        folder = self._services.settings.recipes_dir
        return get_recipe(pin.project, folder, version=pin.version, variant=variant)

    def draft(self, pin: Pin) -> Draft:
        """The draft of a pin; it holds the error of one that can't be built.

        :raises InfrastructureError: something that we stand on failed.
        :raises Cancelled: the job was cancelled.
        """
        self._work.check()
        plain = Draft(
            project=pin.project, version=pin.version, variant=self._request.variants.get(pin.project, "")
        )
        try:
            recipe = self.recipe(pin)
            plain = replace(plain, variant=recipe.variant)
            sdist = self._source(pin)
            environment = self._environment(sdist, recipe)
            inputs = self._inputs(pin, sdist, recipe, environment)
            natives = tuple(map(self._native, recipe.natives))
            runtime_natives = tuple(map(self._native, recipe.runtime_natives))
        except BuildFailed as error:
            return replace(plain, error=self._mended(error, pin))
        except (InputError, TimedOut) as error:
            return replace(plain, error=error)
        return replace(
            plain, inputs=inputs, environment=environment, natives=natives, runtime_natives=runtime_natives
        )

    def fetch_sdist(self, pin: Pin) -> IndexFile:
        """Bring the sdist of a pin into the store. Safe to repeat.

        :raises InputError: it has none, or the index has it no more.
        :raises ForeignOutputRefused: the index gives other bytes than the lock names.
        :raises InfrastructureError: the index, the store or the disk failed.
        """
        sdist = pin.sdist
        if sdist is None:
            raise InputError(
                f"{pin.project} {pin.version} has no sdist on the index",
                expected="a source distribution, since wheels are built from source here",
                do="ask for a version that has one",
            )
        fetch_file(pin.project, sdist, self._services.store, self._upstream, scratch=self._work.scratch)
        return sdist

    def _source(self, pin: Pin) -> IndexFile:
        """The sdist of a pin, in the store and looked at."""
        sdist = self.fetch_sdist(pin)
        store, scratch = self._services.store, self._work.scratch
        checked_sdist(
            store, sdist.filename, sdist.digest, project=pin.project, version=pin.version, scratch=scratch
        )
        return sdist

    def _inputs(self, pin: Pin, sdist: IndexFile, recipe: Recipe, environment: Lock) -> BuildInputs:
        services, ready = self._services, self._ready
        build_wheels: dict[str, str] = {}
        for build_pin in environment.pins if self._request.build_deps == "wheels" else ():
            for file in build_pin.wheels:
                fetch_file(
                    build_pin.project, file, services.store, self._upstream, scratch=self._work.scratch
                )
                build_wheels[file.filename] = str(file.digest)
        patches = [patch.text.encode() for patch in recipe.patches]
        for patch in patches:
            services.store.put_blob(patch, Digest.of(patch))
        return BuildInputs(
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
            patches=tuple(str(Digest.of(patch)) for patch in patches),
            variant=recipe.variant,
            build_deps=self._request.build_deps,
            build_requires=recipe.build_requires,
            replaced_build_requires=recipe.replaced_build_requires,
            packages=self._packages(recipe),
            leave_out=recipe.leave_out,
        )

    def _mended(self, error: BuildFailed, pin: Pin) -> BuildFailed:
        search = package_search(self._services.settings, self._ready.toolchain)
        recipe, job = self.recipe(pin), self._work.claim.id
        return name_mend(error, search, recipe=recipe, version=pin.version, job=job)

    def _packages(self, recipe: Recipe) -> dict[str, str]:
        if not recipe.packages:
            return {}
        with self._one_apt:
            return lock_packages(self._work, self._ready, recipe.packages)

    def _image(self, recipe: Recipe) -> str:
        """The compile image with the recipe's packages, which a backend may look for when it is asked."""
        packages = self._packages(recipe)
        with self._one_apt:
            return image_with_packages(self._work, self._ready, packages)

    def _native(self, name: str) -> PlanNode:
        with self._one_apt:
            if name not in self._natives:
                self._natives[name] = native_node(self._work, self._ready, name)
            return self._natives[name]

    def _environment(self, sdist: IndexFile, recipe: Recipe) -> Lock:
        """The locked build environment of an sdist: the first one holds, so that keys hold, too."""
        services = self._services
        key = build_lock_key(
            sdist=str(sdist.digest),
            image=self._ready.record.image,
            environment=recipe.environment,
            config_settings=recipe.config_settings,
            build_deps=self._request.build_deps,
            build_requires=recipe.build_requires,
            replaced_build_requires=recipe.replaced_build_requires,
            patches=tuple(str(patch.digest) for patch in recipe.patches),
        )
        limits = self._request.build_constraints
        if (lock := self._kept(key)) is not None and meets(lock, limits):
            return lock
        if limits:
            # Others, who limit nothing, go on with what was locked without limits.
            key = key_of({"environment": key, "constraints": list(limits)})
            if (lock := self._kept(key)) is not None:
                return lock
        path = self._work.scratch / "sdists" / sdist.filename
        fetch(self._work, sdist.digest, path)
        # Several are asked at the same time, and who reads the log wants to know of whom a line is.
        resolver = replace(
            self._resolver,
            hooks_image=self._image(recipe),
            report=lambda line: self._work.log.line(f"{sdist.filename}: {line}"),
        )
        lock = resolver.resolve_build(
            path,
            sdist.filename,
            config_settings=recipe.config_settings,
            environment=recipe.environment,
            patches=recipe.patches,
            wanted="sdist" if self._request.build_deps == "source" else "wheel",
            more=recipe.build_requires,
            replaced=recipe.replaced_build_requires,
            constraints=limits,
        )
        services.catalogue.set_build_lock(key, keep_lock(services, lock))
        return lock

    def _kept(self, key: str) -> Lock | None:
        known = self._services.catalogue.build_lock(key)
        return None if known is None else load_lock(self._services, known)


def meets(lock: Lock, constraints: Sequence[str]) -> bool:
    """Whether a lock has no version that constraints forbid; one with a marker counts as if it applied."""
    for limit in map(Requirement, constraints):
        pin = lock.pin(limit.name)
        if pin is not None and not limit.specifier.contains(pin.version, prereleases=True):
            return False
    return True
