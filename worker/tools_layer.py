"""The builder's own tools (/opt/wheelyard) as an image layer: pinned wheels, installed in the toolchain."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from wheelyard.errors import EngineFailed, IndexUnavailable
from wheelyard.process import run_command
from wheelyard.settings import Settings
from wheelyard.toolchains import Python, Toolchain, read_tools_lock
from worker.container_steps import copy_folder_out, run_step
from worker.engine.contract import ContainerSpec, Engine
from worker.layer_tar import Entry, normalise_tar

TOOLS = "/opt/wheelyard"
BUILD_FOLDER = "build"
DOWNLOAD_TIMEOUT = 900.0
MEMORY = 2 << 30
DISK = 512 << 20
OWNER = "toolchain"

# Wheels for any glibc from 2.5 up to the policy's own; pip wants each of them named.
_OLDEST_GLIBC = 5


def download_tools(
    toolchain: Toolchain, settings: Settings, folder: Path, check: Callable[[], None] | None = None
) -> None:
    """Download the wheels of the toolchain's tools lock, each checked against its hash, and the lock itself.

    :param folder: where they go; readable for everybody afterwards.
    :param check: called now and then; what it raises ends the download.
    :raises IndexUnavailable: pip could not get one of them.
    """
    lock = folder / "tools.txt"
    lock.write_text(read_tools_lock(toolchain, settings.toolchains_dir), "utf-8")
    # Unless the settings name one, the index is pip's own configured one.
    index = ["--index-url", settings.index_url] if settings.index_url else []
    run_command(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *platform_options(toolchain.python, toolchain.policy),
            *index,
            *("--dest", str(folder), "--requirement", str(lock)),
        ],
        timeout=DOWNLOAD_TIMEOUT,
        failure=IndexUnavailable,
        check=check,
    )
    for place in folder.iterdir():
        place.chmod(0o644)
    folder.chmod(0o755)


def platform_options(python: Python, policy: str) -> list[str]:
    """Options that make pip choose wheels for a toolchain instead of for the Python that runs pip (PEP 600).

    :param policy: platform tag, for instance `manylinux_2_36_x86_64`.
    """
    family, major, minor, architecture = policy.split("_", 3)
    oldest = _OLDEST_GLIBC if family == "manylinux" else 0
    platforms = [f"{family}_{major}_{number}_{architecture}" for number in range(int(minor), oldest - 1, -1)]
    legacy = {"x86_64": ("manylinux2014", "manylinux2010", "manylinux1"), "aarch64": ("manylinux2014",)}
    if family == "manylinux":
        platforms += [f"{tag}_{architecture}" for tag in legacy.get(architecture, ())]
    options = ["--python-version", python.version, "--implementation", "cp"]
    for abi in (python.tag, "abi3", "none"):
        options += ["--abi", abi]
    for platform in platforms:
        options += ["--platform", platform]
    return options


def make_tools_tar(
    toolchain: Toolchain,
    image: str,
    engine: Engine,
    wheels: Path,
    work: Path,
    mtime: int,
    report: Callable[[str], None],
) -> Path:
    """Install the tools in a container of the image, and pack them as the tar stream of a layer.

    The layer also holds the build folder, so that every compile image has the same places.

    :param image: image id of the toolchain without tools.
    :param wheels: what `download_tools` made.
    :param work: an empty folder for this.
    :param mtime: seconds since the epoch, for every file.
    :returns: the uncompressed tar.
    :raises EngineFailed: a step in the container failed.
    """
    pip = next(iter(sorted(wheels.glob("pip-[0-9]*.whl"))), None)
    if pip is None:
        raise EngineFailed(f"the tools lock of {toolchain.name} does not hold pip", do="add pip to it")
    python = toolchain.python.executable
    tool_python = f"{TOOLS}/bin/python"
    spec = ContainerSpec(
        image=image,
        job=f"toolchain-{toolchain.name}",
        owner=OWNER,
        mounts={wheels: "/in/tools"},
        tmpfs={TOOLS: DISK, "/tmp": DISK},  # noqa: S108 - paths inside the container
        memory=MEMORY,
    )
    packed = work / "tools-raw.tar"
    with engine.start(spec) as container:
        run_step(container, [python, "-m", "venv", "--without-pip", TOOLS], report)
        run_step(
            container,
            [
                *(tool_python, f"/in/tools/{pip.name}/pip", "install", "--quiet", "--no-index", "--no-deps"),
                *("--no-compile", "--require-hashes", "--find-links", "/in/tools"),
                *("--requirement", "/in/tools/tools.txt"),
            ],
            report,
        )
        compile_options = ["-m", "compileall", "-f", "-qq", "--invalidation-mode", "unchecked-hash"]
        run_step(container, [tool_python, *compile_options, f"{TOOLS}/lib"], report)
        run_step(container, [tool_python, "-m", "pip", "check"], report)
        copy_folder_out(container, python, TOOLS, packed, DISK)
    target = work / "tools.tar"
    folders = [
        Entry(path="opt", mode=0o755),
        Entry(path="opt/wheelyard", mode=0o755),
        Entry(path=BUILD_FOLDER, mode=0o1777),
    ]
    with target.open("wb") as stream:
        normalise_tar(packed, stream, mtime=mtime, below=TOOLS.lstrip("/"), extra=folders)
    return target
