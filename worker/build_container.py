"""The container that makes one wheel: what is laid into it, its phases, and the wheel that is taken out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, EngineFailed, ForeignOutputRefused, StoreUnavailable, TimedOut
from wheelyard.toolchains import Toolchain
from worker import compiler_cache
from worker.context import Work
from worker.diagnosis import diagnose
from worker.engine.contract import Container, ContainerSpec

_PYTHON = "/opt/wheelyard/bin/python"
_SCRIPT = "/in/inside/build_wheel.py"
_SHORT_PHASE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelOrder:
    """One wheel to make.

    :param image: image id of the toolchain in the engine.
    :param build_number: PEP 427 build number; 0 means none.
    """

    inputs: BuildInputs
    toolchain: Toolchain
    image: str
    build_number: int = 0


def lay_inputs(work: Work, order: WheelOrder, folder: Path) -> None:
    """Fill the folder that the container sees as `/in`: sdist, build wheels, compiler cache, scripts, order.

    :raises StoreUnavailable: a blob that the lock names is not in the store.
    """
    inputs = order.inputs
    lay_scripts(folder)
    _fetch(work, Digest.parse(inputs.sdist), folder / "sdist" / inputs.sdist_filename)
    (folder / "wheels").mkdir()
    for filename, digest in inputs.build_wheels.items():
        _fetch(work, Digest.parse(digest), folder / "wheels" / filename)
    services = work.services
    compiler_cache.restore(
        inputs.project, order.toolchain.name, catalogue=services.catalogue, store=services.store,
        target=folder / "ccache.tar",
    )  # fmt: skip
    document = {
        "sdist_filename": inputs.sdist_filename,
        "python": order.toolchain.python.executable,
        "target": inputs.target,
        "config_settings": inputs.config_settings,
        "build_number": order.build_number,
    }
    (folder / "job.json").write_text(json.dumps(document))


def lay_scripts(folder: Path) -> None:
    """Copy the scripts that run inside containers into a folder's `inside`."""
    inside = folder / "inside"
    inside.mkdir(parents=True)
    for source in (files("worker") / "inside").iterdir():
        if source.name.endswith(".py"):
            (inside / source.name).write_text(source.read_text("utf-8"))


def make_wheel(work: Work, order: WheelOrder, folder: Path) -> Path:
    """Unpack, compile and repair in a fresh container without network; returns the wheel, unchecked.

    :param folder: as `lay_inputs` filled it.
    :raises BuildFailed: the project's own build failed; the text holds its first error.
    :raises TimedOut: a phase took too long.
    :raises Cancelled: the job was cancelled or its lease lost.
    """
    settings = work.services.settings
    spec = container_spec(work, order.image, folder)
    environment = build_environment(order.inputs.environment, settings.compile_jobs)
    with work.services.engine.start(spec) as container:
        work.on_stop.append(container.kill)
        try:
            with work.phase("unpack"):
                run_phase(work, container, "unpack", environment, _SHORT_PHASE_SECONDS)
                run_phase(work, container, "environment", environment, _SHORT_PHASE_SECONDS)
            with work.phase("compile"):
                run_phase(work, container, "compile", environment, settings.build_timeout)
            with work.phase("repair"):
                run_phase(work, container, "repair", environment, _SHORT_PHASE_SECONDS)
                wheel = _take_wheel(container, work.scratch / "out", settings.max_wheel_bytes)
            with work.phase("save cache"):
                _save_cache(work, container, order, environment)
        finally:
            work.on_stop.remove(container.kill)
    return wheel


def container_spec(work: Work, image: str, folder: Path) -> ContainerSpec:
    """The sandbox of a job's containers; its folder of inputs, at `/in`, is made readable for their user."""
    settings = work.services.settings
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return ContainerSpec(
        image=image,
        job=work.claim.id,
        owner=work.services.owner,
        mounts={folder: "/in"},
        tmpfs={"/build": settings.build_disk, "/tmp": settings.build_disk // 4},  # noqa: S108 - the container's
        memory=settings.build_memory,
        pids=settings.build_pids,
    )


def build_environment(recipe: Mapping[str, str], jobs: int) -> dict[str, str]:
    """Variables of the build: fixed ones, so that equal inputs give equal bytes, and the recipe's on top."""
    parallel = {"CMAKE_BUILD_PARALLEL_LEVEL": str(jobs), "MAKEFLAGS": f"-j{jobs}"} if jobs else {}
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
        "CCACHE_BASEDIR": "/build",
        "CCACHE_NOHASHDIR": "1",
        # The compiler's bytes decide, not its file time: a rebuilt but equal toolchain hits.
        "CCACHE_COMPILERCHECK": "content",
        "CCACHE_MAXSIZE": f"{compiler_cache.MAX_BYTES >> 20}M",
        **parallel,
        **recipe,
    }


def _fetch(work: Work, digest: Digest, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not work.services.store.fetch_blob(digest, target):
        raise StoreUnavailable(f"{target.name} is not in the store any more", expected=str(digest))


def run_phase(
    work: Work,
    container: Container,
    phase: str,
    environment: Mapping[str, str],
    timeout: float,
    script: str = _SCRIPT,
) -> None:
    """Run one phase of our script in a container; its lines go to the log, its failure becomes the job's.

    :param timeout: in seconds.
    :raises BuildFailed: it failed, or ran out of memory.
    :raises TimedOut: it took too long.
    """
    said: list[str] = []

    def on_line(line: str) -> None:
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
            do="raise WHEELYARD_BUILD_TIMEOUT, or give the build fewer features",
            phase=phase,
        ) from error
    except EngineFailed:
        # A killed container makes the engine fail, too; what killed it is the better reason.
        work.check()
        raise
    work.check()
    if ended.out_of_memory:
        limit = work.services.settings.build_memory
        raise BuildFailed(
            f"{work.claim.job.title}: the phase {phase} ran out of memory",
            expected=f"at most {limit >> 20} MiB",
            do="raise WHEELYARD_BUILD_MEMORY, or lower WHEELYARD_COMPILE_JOBS",
            phase=phase,
        )
    if ended.code != 0:
        raise diagnose(work.log.tail, title=work.claim.job.title, phase=phase, said=said, code=ended.code)


def _take_wheel(container: Container, folder: Path, limit: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name_file = folder / "name"
    with name_file.open("wb") as out:
        container.read_file("/build/out/name", out, 500)
    name = name_file.read_text("utf-8", errors="replace")
    if "/" in name or not name.endswith(".whl") or name.startswith("."):
        raise ForeignOutputRefused(
            "the build names its wheel badly", expected="a wheel's name", found=repr(name[:200])
        )
    wheel = folder / name
    with wheel.open("wb") as out:
        container.read_file(f"/build/out/{name}", out, limit)
    return wheel


def _save_cache(work: Work, container: Container, order: WheelOrder, environment: Mapping[str, str]) -> None:
    run_phase(work, container, "save-cache", environment, _SHORT_PHASE_SECONDS)
    target = work.scratch / "ccache-out.tar"
    with target.open("wb") as out:
        container.read_file("/build/ccache-out.tar", out, compiler_cache.MAX_BYTES * 2)
    services = work.services
    compiler_cache.save(
        order.inputs.project,
        order.toolchain.name,
        catalogue=services.catalogue,
        store=services.store,
        source=target,
    )
