"""The check of a wheel that a build made: it is what was asked for, and fits its toolchain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.wheel_file import CheckedWheel, check_wheel_file, read_wheel_name
from wheelyard.toolchains import Toolchain


def accepted_tags(toolchain: Toolchain) -> frozenset[Tag]:
    """Tags that a wheel of this toolchain may have: its CPython, abi3 and pure; its policy or `any`."""
    minor = int(toolchain.python.tag.removeprefix("cp3"))
    interpreters = [(f"cp3{minor}", f"cp3{minor}"), (f"cp3{minor}", "none")]
    interpreters += [(f"cp3{older}", "abi3") for older in range(2, minor + 1)]
    interpreters += [("py3", "none"), ("py2", "none")] + [
        (f"py3{older}", "none") for older in range(minor + 1)
    ]
    return frozenset(
        Tag(interpreter, abi, platform)
        for interpreter, abi in interpreters
        for platform in (toolchain.policy, "any")
    )


def check_wheel(
    path: Path, *, project: str, version: str, toolchain: Toolchain, max_bytes: int
) -> CheckedWheel:
    """Verify that a wheel is what was asked for (PEP 427, PEP 376's RECORD, PEP 425's tags).

    :param project: canonical name that was asked for.
    :param max_bytes: size of the file at the most; unpacked it may have 20 times as many.
    :raises ForeignOutputRefused: it is not; the text says in which way.
    """
    refuse = Refusal(f"the wheel {path.name}")
    found_name, found_version, _, tags = read_wheel_name(path.name, refuse)
    if found_name != canonicalize_name(project) or found_version != Version(version):
        raise refuse(
            "it is another project or version", f"{project} {version}", f"{found_name} {found_version}"
        )
    if not tags & accepted_tags(toolchain):
        raise refuse(
            "its tags do not fit the toolchain",
            f"{toolchain.python.tag} and {toolchain.policy}",
            sorted(map(str, tags)),
        )
    return replace(check_wheel_file(path, SizeLimits.of(max_bytes)), version=version)
