"""Which of upstream's wheels a toolchain takes: of a build requirement, or as a seed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from wheelyard.toolchains import Toolchain
from wheelyard.upstream.listing import ListedFile

_POLICY = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")
_OLD_NAMES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


def best_wheel(files: Iterable[ListedFile], toolchain: Toolchain) -> ListedFile | None:
    """The wheel that pip would choose in a toolchain; None where none fits.

    By order of weight: not yanked (PEP 592), the nearest tag (PEP 425), the highest build number (PEP 427).

    :param files: of one version of a project.
    """
    ranks = _ranks(toolchain)
    fitting = []
    for file in files:
        if file.kind == "wheel" and file.digest is not None and file.fits(toolchain.python.version):
            _name, _version, build, tags = parse_wheel_filename(file.filename)
            if known := tags & ranks.keys():
                rank = min(ranks[tag] for tag in known)
                fitting.append(((file.yanked is None, -rank, build, file.filename), file))
    return max(fitting, key=lambda found: found[0])[1] if fitting else None


@cache
def _ranks(toolchain: Toolchain) -> dict[Tag, int]:
    return {tag: rank for rank, tag in enumerate(_tags(toolchain))}


def _tags(toolchain: Toolchain) -> Iterator[Tag]:
    """Every tag that the toolchain's Python can install, best first (PEP 425)."""
    python = toolchain.python
    version = tuple(int(part) for part in python.version.split("."))
    platforms = list(_platforms(toolchain.policy))
    yield from cpython_tags(version, abis=[python.tag], platforms=platforms)
    yield from compatible_tags(version, interpreter=python.tag, platforms=platforms)


def _platforms(policy: str) -> Iterator[str]:
    """The policy and all that are older (PEP 600, PEP 656), by all their names."""
    found = _POLICY.fullmatch(policy)
    if found is None:
        yield policy
        return
    family, major, newest, machine = found[1], int(found[2]), int(found[3]), found[4]
    for minor in range(newest, -1, -1):
        yield f"{family}_{major}_{minor}_{machine}"
        if family == "manylinux" and (major, minor) in _OLD_NAMES:
            yield f"{_OLD_NAMES[major, minor]}_{machine}"
    yield f"linux_{machine}"
