"""Seeds: upstream's wheels that stand in for what can't be built before itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from wheelyard.locks import IndexFile
from wheelyard.toolchains import Toolchain
from wheelyard.upstream.listing import Listing

_POLICY = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")
_OLD_NAMES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


def seed_wheel(listing: Listing, version: str, toolchain: Toolchain) -> IndexFile | None:
    """The wheel of a version that fits a toolchain best, in pip's order of tags; None where none fits."""
    ranks = {tag: rank for rank, tag in enumerate(_tags(toolchain))}
    fitting = [
        (min(ranks[tag] for tag in tags), file.filename, file.digest)
        for file in listing.of_version(version)
        if file.kind == "wheel" and file.digest is not None and file.fits(toolchain.python.version)
        if (tags := parse_wheel_filename(file.filename)[3] & ranks.keys())
    ]
    if not fitting:
        return None
    _rank, filename, digest = min(fitting, key=lambda found: found[:2])
    return IndexFile(filename=filename, digest=digest)


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
