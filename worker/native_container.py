"""The containers of a native artifact: the one that makes it, and a clean one in which it must work."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused
from wheelyard.native_recipe import NativeRecipe, prefix_of
from wheelyard.native_record import NativeInputs
from worker.build_container import (
    Allotment,
    build_environment,
    container_spec,
    fetch,
    lay_scripts,
    restore_cache,
    run_phase,
    save_cache,
)
from worker.context import Work
from worker.cpu_share import following_share
from worker.engine.contract import Container
from worker.natives import unpack_native
from worker.toolchain_job import ReadyToolchain

SCRIPT = "/in/inside/build_native.py"
PACKED = "/build/native.tar"
_SHORT_PHASE_SECONDS = 900.0
_SMOKE_SECONDS = 600.0
# What it is linked with has a run path to the libraries beside it, wherever its prefix is laid.
RUN_PATH = {"LD_RUN_PATH": "$ORIGIN/../lib"}


def lay_sources(work: Work, ready: ReadyToolchain, inputs: NativeInputs, folder: Path) -> None:
    """Fill the folder that the container sees as `/in`: sources, compiler cache, scripts, order.

    :raises StoreUnavailable: a source is not in the store.
    """
    lay_scripts(folder)
    for name, digest in inputs.sources.items():
        fetch(work, Digest.parse(digest), folder / "sources" / name)
    restore_cache(work, _cache_name(inputs), ready.toolchain.name, folder)
    order = {"sources": list(inputs.sources), "steps": inputs.steps, "prefix": inputs.prefix}
    (folder / "native.json").write_text(json.dumps(order))


def make_archive(
    work: Work, ready: ReadyToolchain, inputs: NativeInputs, image: str, folder: Path, allotment: Allotment
) -> Path:
    """Unpack, patch and compile in a fresh container without network; returns the archive, unchecked.

    :param image: image id in the engine of the toolchain with the recipe's packages.
    :param folder: as `lay_sources` filled it.
    :raises BuildFailed: a step of the recipe failed.
    :raises TimedOut: it took too long.
    """
    limits = allotment.limits
    environment = {**build_environment({}, allotment.jobs), **RUN_PATH, **inputs.environment}
    spec = container_spec(work, image, folder, allotment)
    with (
        work.services.engine.start(spec) as container,
        work.watching(container),
        following_share(work, container, allotment.cpus, limits),
    ):
        with work.phase("unpack"):
            run_phase(work, container, "unpack", environment, _SHORT_PHASE_SECONDS, limits, SCRIPT)
        with work.phase("compile"):
            work.log.line(f"compiling with {allotment.jobs} parallel jobs, {limits.memory >> 20} MiB")
            run_phase(work, container, "compile", environment, limits.seconds, limits, SCRIPT)
            archive = work.scratch / "native-raw.tar"
            with archive.open("wb") as out:
                container.read_file(PACKED, out, limits.disk)
        if _cache_grew(container):
            with work.phase("save cache"):
                name, toolchain = _cache_name(inputs), ready.toolchain.name
                save_cache(work, container, name, toolchain, environment, limits, SCRIPT)
    return archive


def try_archive(
    work: Work, ready: ReadyToolchain, recipe: NativeRecipe, archive: Path, allotment: Allotment
) -> None:
    """Run the recipe's smoke test in a container of the plain toolchain: what it needs must be in it.

    :param archive: checked.
    :raises BuildFailed: it fails.
    """
    folder, unpacked = work.scratch / "test", work.scratch / "test-native"
    lay_scripts(folder)
    order = {"smoke": recipe.smoke, "prefix": prefix_of(recipe.name)}
    (folder / "native.json").write_text(json.dumps(order))
    unpack_native(archive, unpacked)
    spec = container_spec(work, ready.image, folder, allotment)
    spec = replace(spec, mounts={**spec.mounts, unpacked: prefix_of(recipe.name)})
    environment = build_environment({}, 0)
    with work.services.engine.start(spec) as container, work.watching(container):
        run_phase(work, container, "smoke", environment, _SMOKE_SECONDS, allotment.limits, SCRIPT)


def _cache_grew(container: Container) -> bool:
    text = io.BytesIO()
    container.read_file("/build/made.json", text, 1000)
    try:
        return bool(json.loads(text.getvalue())["compiler_cache"])
    except (ValueError, TypeError, KeyError) as error:
        raise ForeignOutputRefused("the build does not say what it made", found=repr(error)) from error


def _cache_name(inputs: NativeInputs) -> str:
    # No project of an index can have this name.
    return f"native:{inputs.name}"
