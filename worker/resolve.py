"""Resolving: requirements, or an sdist's build requirements, become a lock with hashes for one toolchain."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from wheelyard.build_key import ConfigSetting
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, ForeignOutputRefused, InfrastructureError, InputError
from wheelyard.locks import IndexFile, Lock, LockedLine, Pin, parse_lock_text
from wheelyard.recipe_layers import Patch
from wheelyard.requirements import normalise_requirements, parse_requirement
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.store.landing import disk_errors
from wheelyard.toolchains import Toolchain
from wheelyard.upstream.index import Upstream
from worker.diagnosis import refused_patch
from worker.engine.contract import Container, ContainerSpec, Engine
from worker.missing_part import find_missing, missing_facts
from worker.pull_through import PullThrough
from worker.refusals import Wanted, explain, read_refusal
from worker.resolving_room import (
    INPUTS,
    LOCK_SCRIPT,
    SDIST_SCRIPT,
    TMP_BYTES,
    Handover,
    Room,
    open_handover,
)
from worker.wheel_choice import best_wheel

MAX_LOCK_BYTES = 16 << 20
MAX_ANSWER_BYTES = 1 << 20
MAX_REQUIREMENTS = 500

# Paths in the container.
# One for each view: pip-tools takes versions and hashes over from a lock that is there already.
_LOCKS: dict[Wanted, str] = {"sdist": "/tmp/sdists.txt", "wheel": "/tmp/wheels.txt"}  # noqa: S108
_ANSWER = "/tmp/answer.json"  # noqa: S108

_VIEWS: dict[Wanted, str] = {"sdist": "@DOOR@/source/simple/", "wheel": "@DOOR@/build/simple/"}

_PIP_COMPILE = (
    *(
        "-v",
        "--no-config",
        "--resolver",
        "backtracking",
        "--generate-hashes",
        "--allow-unsafe",
        "--strip-extras",
    ),
    *("--newline", "lf", "--no-header", "--cache-dir", "/tmp/pip-tools"),  # noqa: S108  # in the container
    *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"),
)


def _ignore(_: Any) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Makes locks in containers of one toolchain. Safe to use from any number of threads.

    :param image: id of the toolchain's compile image in the engine.
    :param hooks_image: the same with a recipe's packages, for an sdist's backend; empty means none of those.
    :param upstream: the index behind the containers' only door.
    :param store: keeps every file that a resolution looked into.
    :param job: id of the job that the containers belong to.
    :param owner: id of the worker.
    :param scratch: folder for sockets and files on their way; `None` means that of the operating system.
    :param report: gets each line of the resolver's output as it comes.
    :param watch: gets each container as it starts, so that a cancelled job can end it.
    """

    engine: Engine
    image: str
    toolchain: Toolchain
    upstream: Upstream
    store: Store
    settings: Settings
    job: str
    owner: str
    scratch: Path | None = None
    report: Callable[[str], None] = _ignore
    watch: Callable[[Container], None] = _ignore
    hooks_image: str = ""

    def resolve_requirements(self, requirements: Sequence[str], constraints: Sequence[str] = ()) -> Lock:
        """Lock what shall be compiled: every pin has an sdist.

        :param requirements: PEP 508 requirements.
        :param constraints: requirements that hold for whatever these turn out to need.
        :raises InputError: they can't be met; the message says which, and what could be.
        :raises NotFound: there is no such project, or no such version.
        :raises IndexUnavailable: the upstream index did not answer, at least not always.
        :raises ForeignOutputRefused: the index gave a file that does not hash to what it says.
        :raises BuildFailed: a project's metadata hook failed.
        :raises TimedOut: it took longer than the settings allow.
        """
        wanted = normalise_requirements(requirements)
        index = self._index()
        for requirement in map(Requirement, wanted):
            if requirement.marker is None:  # a marker is for the toolchain's Python to judge
                refusal = explain(requirement, index.listing(requirement.name), self.toolchain)
                if refusal is not None:
                    raise refusal
        with open_handover(index, self.scratch) as handover, self._room(handover) as room:
            limits = _constraint_lines(handover, constraints)
            text = self._compile(room, handover, index, wanted, "sdist", ", ".join(wanted), limits=limits)
        return _source_lock(text, index)

    def resolve_build(
        self,
        sdist: Path,
        filename: str,
        *,
        config_settings: Mapping[str, ConfigSetting] | None = None,
        environment: Mapping[str, str] | None = None,
        patches: Sequence[Patch] = (),
        wanted: Wanted = "wheel",
        more: Sequence[str] = (),
        replaced: Sequence[str] | None = None,
        constraints: Sequence[str] = (),
    ) -> Lock:
        """Lock what an sdist needs to be built: `build-system.requires`, and what its backend adds (PEP 517).

        Each pin holds the one wheel that pip would choose in the toolchain, and that is then in the store. Or
        it holds an sdist, where that is wanted; the backend itself is asked with wheels all the same.
        The backend runs in a container of its own, the resolver in another one that it can't touch.

        :param sdist: the archive.
        :param filename: its name on the index, which says how it is unpacked.
        :param config_settings: what the recipe passes to the backend.
        :param environment: variables that the recipe sets for the backend.
        :param patches: that the recipe has for the sources.
        :param wanted: `sdist` for an environment whose wheels are built here, too.
        :param more: requirements that the recipe adds.
        :param replaced: those that it puts in the place of what `build-system.requires` says; None for none.
        :param constraints: requirements that hold for whatever these turn out to need.
        :raises BuildFailed: the archive can't be unpacked, a patch does not fit, or its backend fails.
        :raises InputError: a build requirement can't be met, or has no wheel, or no sdist.
        """
        name = IndexFile(filename=filename, digest=Digest.of_file(sdist)).filename
        subject = f"the build requirements of {name}"
        index = self._index()
        with ExitStack() as stack:
            handover = stack.enter_context(open_handover(index, self.scratch))
            # A copy: the caller's file may be one that the container's user can't read.
            with disk_errors(f"{name} could not be written", InfrastructureError):
                shutil.copyfile(sdist, handover.inputs / name)
                (handover.inputs / name).chmod(0o644)
            for place, patch in enumerate(patches, start=1):
                file = patch.name.rpartition("/")[2]
                handover.put(f"patches/{place:03}-{file}", patch.text.encode())
            foreign = stack.enter_context(self._room(handover, self.hooks_image))
            trusted = stack.enter_context(self._room(handover))
            # Asked even where the answer is replaced: that is what unpacks it for the next question.
            said = self._ask_sdist(foreign, index, name, ["static", f"{INPUTS}/{name}"], {})
            static = _recipes_requirements(name, said if replaced is None else replaced, more)
            limits = _constraint_lines(handover, constraints)
            text = self._compile(trusted, handover, index, static, "wheel", subject, name, limits)
            arguments = [
                self.toolchain.python.executable,
                handover.put("static.txt", text.encode()),
                handover.put("config.json", json.dumps(dict(config_settings or {})).encode()),
            ]
            added = self._ask_sdist(foreign, index, name, ["dynamic", *arguments], environment or {})
            both = sorted({*static, *added})
            if wanted == "sdist" or not set(added) <= set(static):
                text = self._compile(trusted, handover, index, both, wanted, subject, name, limits)
            if wanted == "sdist":
                return _source_lock(text, index)
        return _wheel_lock(text, index, self.toolchain)

    def _index(self) -> PullThrough:
        return PullThrough(self.upstream, self.store, scratch=self.scratch)

    @contextmanager
    def _room(self, handover: Handover, image: str = "") -> Iterator[Room]:
        spec = ContainerSpec(
            image=image or self.image,
            job=self.job,
            owner=self.owner,
            mounts=handover.mounts,
            tmpfs={"/tmp": TMP_BYTES, "/build": TMP_BYTES},  # noqa: S108  # paths in the container
            memory=self.settings.build_memory,
            pids=self.settings.build_pids,
        )
        with self.engine.start(spec) as container:
            self.watch(container)
            yield Room(
                container=container,
                seconds=self.settings.resolve_timeout,
                memory=self.settings.build_memory,
                report=self.report,
            )

    def _compile(
        self,
        room: Room,
        handover: Handover,
        index: PullThrough,
        requirements: Sequence[str],
        wanted: Wanted,
        subject: str,
        asker: str = "",
        limits: Sequence[str] = (),
    ) -> str:
        """Let pip-tools resolve requirements; gives the text of its lock.

        :param limits: lines that name the constraints.
        """
        if not requirements:
            return ""
        handover.put("requirements.in", "".join(f"{line}\n" for line in (*requirements, *limits)).encode())
        view = _VIEWS[wanted]
        code, lines = room.run(
            [
                *(f"{INPUTS}/{LOCK_SCRIPT}", view, _VIEWS["wheel"], *_PIP_COMPILE, "--index-url", view),
                *("--output-file", _LOCKS[wanted]),
                *(["--pip-args", "--only-binary :all:"] if wanted == "wheel" else []),
                "requirements.in",
            ],
            subject,
            hide_tracebacks=True,
        )
        index.raise_trouble()
        if code:
            raise read_refusal(lines, index.listing, self.toolchain, wanted, subject, asker)
        return room.read(_LOCKS[wanted], MAX_LOCK_BYTES)

    def _ask_sdist(
        self,
        room: Room,
        index: PullThrough,
        filename: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
    ) -> tuple[str, ...]:
        """One question to an sdist in the foreign room; gives requirements that are only requirements."""
        code, lines = room.run(
            [f"{INPUTS}/{SDIST_SCRIPT}", *arguments, _ANSWER], f"what {filename} needs", environment
        )
        index.raise_trouble()
        if code:
            said = [line.removeprefix("wheelyard: ") for line in lines if line.startswith("wheelyard: ")]
            raise refused_patch(said, "resolve") or BuildFailed(
                f"{filename} does not say what it needs to be built" + (f": {said[-1]}" if said else ""),
                found="\n".join(line for line in lines[-12:] if not line.startswith("wheelyard: ")),
                do="the whole output stands in the log",
                phase="resolve",
                **missing_facts(find_missing(lines)),
            )
        return _read_requirements(room.read(_ANSWER, MAX_ANSWER_BYTES), filename)


def _constraint_lines(handover: Handover, constraints: Sequence[str]) -> tuple[str, ...]:
    """The line that names a file of constraints to pip-tools; none where there are none."""
    if not constraints:
        return ()
    limits = "".join(f"{line}\n" for line in normalise_requirements(constraints))
    return (f"-c {handover.put('constraints.txt', limits.encode())}",)


def _read_requirements(text: str, filename: str) -> tuple[str, ...]:
    """Requirements that foreign code wrote.

    :raises ForeignOutputRefused: it is no list of text.
    :raises InputError: one of them is more than a requirement.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, list) or not all(isinstance(line, str) for line in document):
        raise ForeignOutputRefused(
            f"{filename} answered with no list of build requirements", found=text[:200]
        )
    if len(document) > MAX_REQUIREMENTS:
        raise ForeignOutputRefused(
            f"{filename} has too many build requirements",
            expected=f"at most {MAX_REQUIREMENTS}",
            found=str(len(document)),
        )
    origin = f"a build requirement of {filename}"
    return tuple(sorted({str(parse_requirement(line.strip(), origin)) for line in document}))


def _recipes_requirements(filename: str, said: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Requirements in one spelling; the recipe's own ones are refused where they are more than that."""
    origin = f"a build requirement of {filename} by its recipe"
    return tuple(sorted({str(parse_requirement(line, origin)) for line in (*said, *more)}))


def _lines(text: str) -> tuple[LockedLine, ...]:
    """The lines of a lock that a container wrote.

    :raises ForeignOutputRefused: it is none.
    """
    try:
        return parse_lock_text(text)
    except InputError as error:
        raise ForeignOutputRefused(error.failed, expected=error.expected, found=error.found) from error


def _source_lock(text: str, index: PullThrough) -> Lock:
    """The lock of what shall be compiled, its pins sorted by project.

    :raises ForeignOutputRefused: the text says more than the index does.
    """
    pins = [_source_pin(line, index) for line in _lines(text)]
    return Lock(pins=tuple(sorted(pins, key=lambda pin: pin.project)), text=text)


def _wheel_lock(text: str, index: PullThrough, toolchain: Toolchain) -> Lock:
    """The lock of what a build is made with: of each pin the one wheel that fits, in the store.

    :raises ForeignOutputRefused: the text says more than the index does.
    """
    pins = [_wheel_pin(line, index, toolchain) for line in _lines(text)]
    return Lock(pins=tuple(sorted(pins, key=lambda pin: pin.project)), text=text)


def _listed(line: LockedLine, index: PullThrough) -> dict[Digest, IndexFile]:
    """The index's files that a line of a lock allows; a hash that the index lacks is refused."""
    listed = {
        file.digest: IndexFile(filename=file.filename, digest=file.digest)
        for file in index.listing(line.project).of_version(line.version)
        if file.digest in line.digests
    }
    if len(listed) != len(line.digests):
        raise ForeignOutputRefused(
            f"the lock has a hash for {line.project} {line.version} that the index does not list",
            found=", ".join(sorted(map(str, line.digests - listed.keys()))),
        )
    return listed


def _source_pin(line: LockedLine, index: PullThrough) -> Pin:
    found = _listed(line, index).values()
    pin = Pin(project=line.project, version=line.version, files=tuple(sorted(found)))
    if pin.sdist is None:
        raise ForeignOutputRefused(f"the lock has {line.project} {line.version}, which has no sdist")
    return pin


def _wheel_pin(line: LockedLine, index: PullThrough, toolchain: Toolchain) -> Pin:
    allowed = _listed(line, index)
    files = index.listing(line.project).of_version(line.version)
    wheel = best_wheel((file for file in files if file.digest in allowed), toolchain)
    if wheel is None:
        raise ForeignOutputRefused(
            f"the lock has {line.project} {line.version}, which has no wheel for {toolchain.name}",
            found=", ".join(sorted(file.filename for file in allowed.values())),
        )
    digest = index.fetch(line.project, wheel)
    file = IndexFile(filename=wheel.filename, digest=digest)
    return Pin(project=line.project, version=line.version, files=(file,))
