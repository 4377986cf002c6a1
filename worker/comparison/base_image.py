"""What the Dockerfiles of a comparison begin from: Debian with Python and pip, from its packages."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from pathlib import Path

from wheelyard.digests import key_of
from wheelyard.errors import InputError
from wheelyard.toolchains import Debian, Toolchain
from worker.comparison.engine_images import REPOSITORY, EngineImages
from worker.debian.bootstrap import install_packages
from worker.debian.mirror import Mirror

BASE_FORMAT = 1
"""Raised when another base is made of the same packages; a part of its name in the engine."""

PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
_CHANGES = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["python3"]',
)
# Bytecode comes back when something runs; in images of registries it is not.
_NOT_IN_BASE = re.compile(
    r"(\./)?(usr/lib/python3\.\d+/EXTERNALLY-MANAGED|(.*/)?__pycache__(/.*)?|dev/.+|proc/.+|sys/.+)"
)


def ensure_base(
    images: EngineImages, toolchain: Toolchain, mirror: Mirror, scratch: Path, say: Callable[[str], None]
) -> str:
    """Name of the base in the engine; it is made at the first need, and stays for later comparisons.

    It stands in for the `python:3.11-slim` that Dockerfiles name, and is of the same release and Python.

    :param toolchain: whose release and Python it has.
    :param scratch: folder for some hundreds of megabytes.
    :raises InputError: the toolchain is not made of Debian packages.
    """
    if toolchain.debian is None:
        raise InputError(
            f"no base can be made for {toolchain.name}, which is not of Debian packages",
            do="name an image that the Dockerfiles begin from with --base",
        )
    name = _name(toolchain.debian)
    if not images.has(name):
        say(f"base: Debian {toolchain.debian.suite} with Python and pip, from its packages; kept as {name}")
        raw, tar = scratch / "base-raw.tar", scratch / "base.tar"
        install_packages(toolchain.debian.suite, PACKAGES, mirror, raw)
        write_base(raw, tar)
        raw.unlink()
        images.load_tree(tar, name, _CHANGES)
        tar.unlink()
    return name


def _name(debian: Debian) -> str:
    key = key_of({"format": BASE_FORMAT, "suite": debian.suite, "packages": list(PACKAGES)})
    return f"{REPOSITORY}/python:{debian.suite}-{key[:12]}"


def write_base(source: Path, target: Path) -> None:
    """The same system, where pip may install beside Debian's own Python packages, and `python` is there."""
    with (
        tarfile.open(source, mode="r:", encoding="utf-8") as raw,
        tarfile.open(target, mode="w:", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
    ):
        for member in raw:
            if _NOT_IN_BASE.fullmatch(member.name):
                continue
            tar.addfile(member, raw.extractfile(member) if member.isreg() else None)
        link = tarfile.TarInfo("./usr/local/bin/python")
        link.type, link.linkname, link.mode = tarfile.SYMTYPE, "/usr/bin/python3", 0o777
        tar.addfile(link)
