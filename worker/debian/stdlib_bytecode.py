"""Bytecode of the runtime base's standard library, compiled by the very Python that it is for."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from wheelyard.toolchains import Toolchain
from worker.container_steps import copy_folder_out, run_step
from worker.engine.contract import ContainerSpec, Engine

MEMORY = 1 << 30
DISK = 256 << 20
TMP = "/tmp"  # noqa: S108 - a path inside the container

# Checked against nothing: bytecode that holds its source's time would not be the same in two images.
_COMPILE = """\
import os, py_compile, shutil, sys
source, work, target, place = sys.argv[1:]
shutil.copytree(source, work)
for here, folders, files in os.walk(work):
    folders.sort()
    for name in sorted(files):
        if name.endswith(".py"):
            path = os.path.join(here, name)
            inside = os.path.relpath(path, work)
            cached = os.path.join(target, os.path.dirname(inside), "__pycache__", name[:-3] + "." + \
sys.implementation.cache_tag + ".pyc")
            os.makedirs(os.path.dirname(cached), exist_ok=True)
            py_compile.compile(path, cached, os.path.join(place, inside), doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""


def compile_stdlib(
    toolchain: Toolchain, image: str, engine: Engine, root: Path, work: Path, report: Callable[[str], None]
) -> None:
    """Add a `__pycache__` to each folder of a base's standard library.

    :param toolchain: whose Python runs, of the same minor version as the base's.
    :param image: image id of its compile image.
    :param root: the base's folder; its standard library gets the bytecode.
    :param work: folder for an archive.
    :raises EngineFailed: a file does not compile.
    """
    version = toolchain.python.version
    place = f"/usr/lib/python{version}"
    spec = ContainerSpec(
        image=image,
        job=f"toolchain-{toolchain.name}",
        owner="toolchain",
        mounts={root / place.lstrip("/"): "/in/stdlib"},
        tmpfs={TMP: DISK},
        memory=MEMORY,
    )
    packed = work / "bytecode.tar"
    with engine.start(spec) as container:
        python, sources, bytecode = toolchain.python.executable, f"{TMP}/stdlib", f"{TMP}/bytecode"
        run_step(container, [python, "-c", _COMPILE, "/in/stdlib", sources, bytecode, place], report)
        copy_folder_out(container, python, bytecode, packed, DISK)
    with tarfile.open(packed) as tar:
        _lay(tar, root / place.lstrip("/"))
    packed.unlink()


def _lay(tar: tarfile.TarFile, target: Path) -> None:
    """Copy an archive's files below a folder; Debian 12's Python has no extraction filter (PEP 706) yet."""
    for member in tar:
        inside = PurePosixPath(member.name)
        if not member.isfile() or inside.is_absolute() or ".." in inside.parts:
            continue
        path = target / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = tar.extractfile(member)
        if stream is not None:
            with stream, path.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            path.chmod(0o644)
