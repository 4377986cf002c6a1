"""The container that makes one wheel: what is laid into it, its phases, and the wheel that is taken out."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path, PurePosixPath

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.errors import (
    BuildFailed,
    EngineFailed,
    ForeignOutputRefused,
    OutOfMemory,
    StoreUnavailable,
    TimedOut,
)
from wheelyard.limits import Limits
from wheelyard.recipes import recipe_of
from wheelyard.toolchains import Toolchain
from worker import compiler_cache
from worker.capacity import parallel_jobs
from worker.circumstances import USUAL, Circumstances
from worker.context import Work
from worker.cpu_share import cores_within, following_share
from worker.diagnosis import diagnose, full_disk
from worker.engine.contract import Container, ContainerSpec
from worker.natives import lay_natives, mounts_of, native_variables

_PYTHON = "/opt/wheelyard/bin/python"
_SCRIPT = "/in/inside/build_wheel.py"
_SHORT_PHASE_SECONDS = 900.0
_LEAST_TMP = 1 << 26
_MORE_TIME = (
    "ask again with more, such as `--timeout 4h`, or raise `seconds` in the recipe's [limits] or "
    "WHEELYARD_BUILD_TIMEOUT"
)
# CMake hands its own on to ninja or make; meson-python is told by our script, since ninja reads no variable.
_PARALLEL = ("CMAKE_BUILD_PARALLEL_LEVEL", "CARGO_BUILD_JOBS", "MAX_JOBS")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelOrder:
    """One wheel to make.

    :param image: image id in the engine of the toolchain with the recipe's packages.
    :param build_number: PEP 427 build number; 0 means none.
    :param circumstances: where and when it is made.
    """

    inputs: BuildInputs
    toolchain: Toolchain
    image: str
    build_number: int = 0
    circumstances: Circumstances = USUAL


def lay_inputs(work: Work, order: WheelOrder, folder: Path) -> None:
    """Fill the folder that the container sees as `/in`: sdist, build wheels, compiler cache, scripts, order.

    Natives are laid beside it, since they are seen at prefixes of their own.

    :raises StoreUnavailable: a blob that the lock names is not in the store.
    """
    inputs = order.inputs
    lay_scripts(folder)
    fetch(work, Digest.parse(inputs.sdist), folder / "sdist" / inputs.sdist_filename)
    (folder / "wheels").mkdir()
    for filename, digest in inputs.build_wheels.items():
        fetch(work, Digest.parse(digest), folder / "wheels" / filename)
    _lay_patches(work, inputs, folder / "patches")
    lay_natives(work.services.store, inputs.natives, _natives_beside(folder))
    circumstances = order.circumstances
    if circumstances.compiler_cache:
        restore_cache(work, inputs.project, order.toolchain.name, folder)
    document = {
        "sdist_filename": inputs.sdist_filename,
        "python": order.toolchain.python.executable,
        "target": inputs.target,
        "config_settings": inputs.config_settings,
        "build_number": order.build_number,
        "title": f"{inputs.project} {inputs.version}",
        "leave_out": list(inputs.leave_out),
        "root": circumstances.root,
        "elsewhere": None if circumstances.are_usual else circumstances.to_document(),
    }
    (folder / "job.json").write_text(json.dumps(document))


def _lay_patches(work: Work, inputs: BuildInputs, folder: Path) -> None:
    """Lay a wheel's patches in their order, under the names that the recipe has for them now."""
    if not inputs.patches:
        return
    recipe = recipe_of(inputs, work.services.settings.recipes_dir)
    folder.mkdir()
    known = {str(patch.digest): patch for patch in recipe.patches}
    for place, digest in enumerate(inputs.patches, start=1):
        if patch := known.get(digest):
            name = patch.name.rpartition("/")[2]
            (folder / f"{place:03}-{name}").write_bytes(patch.text.encode())
        else:
            fetch(work, Digest.parse(digest), folder / f"{place:03}-{digest[-12:]}.patch")


def lay_scripts(folder: Path) -> None:
    """Copy the scripts that run inside containers into a folder's `inside`."""
    inside = folder / "inside"
    inside.mkdir(parents=True)
    for source in (files("worker") / "inside").iterdir():
        if source.name.endswith(".py"):
            (inside / source.name).write_text(source.read_text("utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What one container of a job gets of its worker.

    :param limits: as asked, with the memory that the worker has.
    :param cpus: cores at the most; a fraction may be.
    :param jobs: parallel jobs of its build tools.
    """

    limits: Limits
    cpus: float
    jobs: int


def allot(work: Work, limits: Limits, memory_per_job: int) -> Allotment:
    """A job's share of its worker at this moment, within its limits.

    :param memory_per_job: as the recipe says, in bytes; 0 means unknown.
    """
    if work.seat.memory < limits.memory:
        work.log.line(
            f"memory: the build may use {work.seat.memory >> 20} MiB, since no worker has the "
            f"{limits.memory >> 20} MiB that were asked for"
        )
        limits = replace(limits, memory=work.seat.memory)
    cpus = cores_within(limits, work.seat.cores())
    jobs = parallel_jobs(
        cpus,
        cores_within(limits, work.seat.most_cores),
        memory=limits.memory,
        memory_per_job=memory_per_job,
        asked=work.services.settings.compile_jobs,
    )
    return Allotment(limits=limits, cpus=cpus, jobs=jobs)


def make_wheel(work: Work, order: WheelOrder, folder: Path, allotment: Allotment) -> Path:
    """Unpack, compile and repair in a fresh container without network; returns the wheel, unchecked.

    A compile that ran out of memory is tried once more, in another container and with half the parallel jobs.

    :param folder: as `lay_inputs` filled it.
    :raises OutOfMemory: its memory was not enough, with fewer parallel jobs neither.
    :raises BuildFailed: the project's own build failed; the text holds its first error.
    :raises TimedOut: a phase took too long.
    :raises Cancelled: the job was cancelled or its lease lost.
    """
    try:
        return _make_once(work, order, folder, allotment)
    except OutOfMemory as error:
        if error.facts.get("phase") != "compile" or allotment.jobs < 2:
            raise
        jobs = allotment.jobs // 2
        work.log.line(
            f"out of memory with {allotment.jobs} parallel jobs: once more in a fresh container, with {jobs}"
        )
        return _make_once(work, order, folder, replace(allotment, jobs=jobs), " again")


def _make_once(work: Work, order: WheelOrder, folder: Path, allotment: Allotment, again: str = "") -> Path:
    """One try in one container.

    :param again: what is added to the names of the phases.
    """
    settings, limits = work.services.settings, allotment.limits
    circumstances = order.circumstances
    jobs = allotment.jobs + circumstances.more_jobs if allotment.jobs else 0
    environment = {
        **build_environment({}, jobs),
        **native_variables(order.inputs.natives),
        **circumstances.environment,
        **order.inputs.environment,
    }
    spec = container_spec(work, order.image, folder, allotment, circumstances)
    natives = dict(mounts_of(_natives_beside(folder), order.inputs.natives))
    spec = replace(spec, mounts={**spec.mounts, **natives})
    with (
        work.services.engine.start(spec) as container,
        work.watching(container),
        following_share(work, container, allotment.cpus, limits),
    ):
        with work.phase(f"unpack{again}"):
            run_phase(work, container, "unpack", environment, _SHORT_PHASE_SECONDS, limits)
        with work.phase(f"compile{again}"):
            work.log.line(
                f"compiling with {jobs} parallel job{'' if jobs == 1 else 's'}, "
                f"{allotment.cpus:g} cores and {limits.memory >> 20} MiB"
            )
            run_phase(work, container, "compile", environment, limits.seconds, limits)
        with work.phase(f"repair{again}"):
            run_phase(work, container, "repair", environment, _SHORT_PHASE_SECONDS, limits)
            name, cache_grew = _read_made(container)
            wheel = _take_wheel(container, work.scratch / "out", name, settings.max_wheel_bytes)
        if cache_grew and circumstances.compiler_cache:
            with work.phase("save cache"):
                name, toolchain = order.inputs.project, order.toolchain.name
                save_cache(work, container, name, toolchain, environment, limits)
    return wheel


def _natives_beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-natives")


def container_spec(
    work: Work, image: str, folder: Path, allotment: Allotment, circumstances: Circumstances = USUAL
) -> ContainerSpec:
    """The sandbox of a job's containers; its folder of inputs, at `/in`, is made readable for their user."""
    limits = allotment.limits
    roots = {"/build", f"/{PurePosixPath(circumstances.root).parts[1]}"}
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return ContainerSpec(
        image=image,
        job=work.claim.id,
        owner=work.services.owner,
        mounts={folder: "/in"},
        tmpfs={**dict.fromkeys(roots, limits.disk), "/tmp": max(limits.disk // 4, _LEAST_TMP)},  # noqa: S108 - the container's
        memory=limits.memory,
        cpus=allotment.cpus,
        pids=limits.pids,
        hostname=circumstances.hostname,
    )


def build_environment(recipe: Mapping[str, str], jobs: int) -> dict[str, str]:
    """Variables of the build: fixed ones, so that equal inputs give equal bytes, and the recipe's on top."""
    parallel = {"MAKEFLAGS": f"-j{jobs}", **dict.fromkeys(_PARALLEL, str(jobs))} if jobs else {}
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/home",  # noqa: S108 - the container's
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "CCACHE_DIR": "/build/ccache",
        # The sources and no more: what it makes relative, the compiler writes so into debug information, and
        # the build environment has one place whatever the root is.
        "CCACHE_BASEDIR": "/build/src",
        "CCACHE_NOHASHDIR": "1",
        # The compiler's bytes decide, not its file time: a rebuilt but equal toolchain hits.
        "CCACHE_COMPILERCHECK": "content",
        # A header that the build itself has just written has no time that says anything; its bytes decide.
        "CCACHE_SLOPPINESS": "include_file_ctime,include_file_mtime",
        "CCACHE_MAXSIZE": f"{compiler_cache.MAX_BYTES >> 20}M",
        **parallel,
        **recipe,
    }


def fetch(work: Work, digest: Digest, target: Path) -> None:
    """Lay a blob that must be there.

    :raises StoreUnavailable: it is not.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not work.services.store.fetch_blob(digest, target):
        raise StoreUnavailable(f"{target.name} is not in the store any more", expected=str(digest))


def run_phase(
    work: Work,
    container: Container,
    phase: str,
    environment: Mapping[str, str],
    timeout: float,
    limits: Limits,
    script: str = _SCRIPT,
) -> None:
    """Run one phase of our script in a container; its lines go to the log, its failure becomes the job's.

    :param timeout: in seconds.
    :param limits: of the container, for messages.
    :raises OutOfMemory: the memory limit killed something in it.
    :raises BuildFailed: it failed.
    :raises TimedOut: it took too long.
    """
    said: list[str] = []
    lines = 0

    def on_line(line: str) -> None:
        nonlocal lines
        lines += 1
        if line.startswith("wheelyard: "):
            said.append(line.removeprefix("wheelyard: "))
        work.log.line(line)

    try:
        ended = container.run(
            [_PYTHON, "-u", script, phase],
            on_line=on_line,
            timeout=timeout,
            environment=environment,
            workdir="/build",
        )
    except TimedOut as error:
        raise TimedOut(
            f"{work.claim.job.title}: the phase {phase} did not end in time",
            expected=f"an end within {timeout:.0f} s",
            do=_MORE_TIME if phase == "compile" else "see the job's log for what it waited for",
            phase=phase,
            seconds=timeout,
        ) from error
    except EngineFailed:
        # A killed container makes the engine fail, too; what killed it is the better reason.
        work.check()
        raise
    work.check()
    if ended.out_of_memory:
        raise _out_of_memory(work, phase, limits, environment)
    if ended.code != 0:
        # What an earlier phase or try printed is not what this one failed of.
        tail = list(work.log.tail)[-lines:] if lines else []
        raise _failed(work, phase, limits, said, ended.code, tail)


def _out_of_memory(work: Work, phase: str, limits: Limits, environment: Mapping[str, str]) -> OutOfMemory:
    jobs = environment.get("CMAKE_BUILD_PARALLEL_LEVEL", "")
    found = f"the kernel killed a process of it, with {jobs} parallel jobs" if jobs else ""
    return OutOfMemory(
        f"{work.claim.job.title}: the phase {phase} ran out of memory",
        expected=f"at most {limits.memory >> 20} MiB, files in the container included",
        found=found,
        do="ask again with more, such as `--memory 16G`, or raise `memory` in the recipe's [limits] or "
        "WHEELYARD_BUILD_MEMORY",
        phase=phase,
        memory=limits.memory,
    )


def _failed(
    work: Work, phase: str, limits: Limits, said: list[str], code: int, tail: list[str]
) -> BuildFailed:
    line = full_disk(tail)
    if line:
        return BuildFailed(
            f"{work.claim.job.title}: the build's disk is full in the phase {phase}",
            expected=f"at most {limits.disk >> 20} MiB",
            found=line,
            do="ask again with more, such as `--disk 30G`, or raise `disk` in the recipe's [limits] or "
            "WHEELYARD_BUILD_DISK; files in the container count as memory, too",
            phase=phase,
            disk=limits.disk,
        )
    return diagnose(tail, title=work.claim.job.title, phase=phase, said=said, code=code)


def _read_made(container: Container) -> tuple[str, bool]:
    """What the phase repair says of what it left: the wheel's name, and whether the compiler cache grew."""
    text = io.BytesIO()
    container.read_file("/build/made.json", text, 1000)
    try:
        document = json.loads(text.getvalue())
        name, grew = str(document["wheel"]), bool(document["compiler_cache"])
    except (ValueError, TypeError, KeyError):
        name, grew = "", False
    if "/" in name or not name.endswith(".whl") or name.startswith("."):
        raise ForeignOutputRefused(
            "the build names its wheel badly", expected="a wheel's name", found=repr(name[:200])
        )
    return name, grew


def _take_wheel(container: Container, folder: Path, name: str, limit: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / name
    with wheel.open("wb") as out:
        container.read_file(f"/build/out/{name}", out, limit)
    return wheel


def restore_cache(work: Work, name: str, toolchain: str, folder: Path) -> None:
    """Lay the newest compiler cache of a project, or of a native, into a folder of inputs."""
    services = work.services
    compiler_cache.restore(
        name, toolchain, catalogue=services.catalogue, store=services.store, target=folder / "ccache.tar"
    )


def save_cache(
    work: Work,
    container: Container,
    name: str,
    toolchain: str,
    environment: Mapping[str, str],
    limits: Limits,
    script: str = _SCRIPT,
) -> None:
    """Keep the compiler cache that a build leaves, under the name that it is restored by."""
    run_phase(work, container, "save-cache", environment, _SHORT_PHASE_SECONDS, limits, script)
    target = work.scratch / "ccache-out.tar"
    with target.open("wb") as out:
        container.read_file("/build/ccache-out.tar", out, compiler_cache.MAX_BYTES * 2)
    services = work.services
    compiler_cache.save(name, toolchain, catalogue=services.catalogue, store=services.store, source=target)
