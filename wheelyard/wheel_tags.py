"""Which wheels a toolchain's Python can use: the compatibility tags of its CPython and platform policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from packaging.tags import Tag, compatible_tags, cpython_tags

from wheelyard.errors import InputError

_POLICY = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_([a-z0-9_]+)")
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST = 5


@lru_cache(maxsize=64)
def accepted_tags(python_tag: str, policy: str) -> frozenset[Tag]:
    """Every tag that a wheel may have to run on a CPython under a platform policy; see `ranked_tags`."""
    return frozenset(ranked_tags(python_tag, policy))


@lru_cache(maxsize=64)
def ranked_tags(python_tag: str, policy: str) -> Mapping[Tag, int]:
    """The tags that a wheel may have to run on a CPython under a platform policy (PEP 425, 600, 656).

    Each has its rank in pip's order, the best one first.

    :param python_tag: for instance `cp311`.
    :param policy: for instance `manylinux_2_36_x86_64`; older ones of the same kind are accepted too, and
        so is `linux_x86_64`, which the toolchain's own build front end writes.
    :raises InputError: one of them is not such a tag.
    """
    match = _POLICY.fullmatch(policy)
    if not match or not re.fullmatch(r"cp3\d+", python_tag):
        raise InputError(
            "a toolchain's tags can't be read",
            expected="for instance cp311 and manylinux_2_36_x86_64",
            found=f"{python_tag!r} and {policy!r}",
        )
    kind, major, minor, machine = match[1], int(match[2]), int(match[3]), match[4]
    platforms = []
    for number in range(minor, -1 if kind == "musllinux" else _OLDEST - 1, -1):
        platforms.append(f"{kind}_{major}_{number}_{machine}")
        if kind == "manylinux" and number in _LEGACY:
            platforms.append(f"{_LEGACY[number]}_{machine}")
    platforms.append(f"linux_{machine}")
    version = (3, int(python_tag.removeprefix("cp3")))
    tags = [
        *cpython_tags(version, abis=[python_tag], platforms=platforms),
        *compatible_tags(version, interpreter=python_tag, platforms=platforms),
    ]
    return MappingProxyType({tag: rank for rank, tag in enumerate(tags)})


def machine_of(policy: str) -> str:
    """The machine that a platform policy is for, such as `x86_64`; empty where it names none."""
    match = _POLICY.fullmatch(policy)
    return match[4] if match else ""
