"""The check of a wheel that foreign code made; runs nothing of it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import partial
from pathlib import Path, PurePosixPath

from installer.exceptions import InstallerError
from installer.sources import WheelFile as InstallerWheel
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelyard.errors import ForeignOutputRefused
from wheelyard.toolchains import Toolchain

_MAX_MEMBERS = 200_000
_MAX_RATIO = 200
_NOT_IMPORTED = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks", "scripts"}
)
_IMPORTABLE = re.compile(r"^([A-Za-z][A-Za-z0-9_]*)(/__init__\.py|\.py|(\.[\w-]+)*\.so)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedWheel:
    """A wheel whose claims were found true.

    :param metadata: bytes of its METADATA.
    :param modules: top-level modules that it brings, sorted.
    """

    path: Path
    project: str
    version: str
    metadata: bytes
    requires_python: str
    requires_dist: tuple[str, ...]
    modules: tuple[str, ...]


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
    name = path.name

    refuse = partial(_refusal, name)

    if path.stat().st_size > max_bytes:
        raise refuse("it is too large", f"at most {max_bytes} bytes", path.stat().st_size)
    try:
        found_name, found_version, _, tags = parse_wheel_filename(name)
    except InvalidWheelFilename as error:
        raise refuse("its name is not a wheel's", "PEP 427", error) from error
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
    try:
        with zipfile.ZipFile(path) as pack:
            _check_members(pack, max_bytes, refuse)
            source = InstallerWheel(pack)
            source.validate_record(validate_contents=True)
            metadata = source.read_dist_info("METADATA").encode()
            members = pack.namelist()
    except InstallerError as error:
        issues = "; ".join(getattr(error, "issues", [str(error)]))
        raise refuse("its RECORD lies", "every member in RECORD with its true hash", issues) from error
    except (zipfile.BadZipFile, KeyError, ValueError, AssertionError, OSError, NotImplementedError) as error:
        raise refuse("it can't be read", "a whole wheel", error) from error
    headers = HeaderParser().parsestr(metadata.decode(errors="replace"))
    try:
        same = (
            canonicalize_name(headers["Name"] or "") == found_name
            and Version(headers["Version"] or "") == found_version
        )
    except InvalidVersion:
        same = False
    if not same:
        raise refuse(
            "its METADATA names another project or version",
            f"{project} {version}",
            f"{headers['Name']} {headers['Version']}",
        )
    return CheckedWheel(
        path=path,
        project=str(found_name),
        version=version,
        metadata=metadata,
        requires_python=headers["Requires-Python"] or "",
        requires_dist=tuple(headers.get_all("Requires-Dist") or ()),
        modules=top_level_modules(members),
    )


def top_level_modules(members: Iterable[str]) -> tuple[str, ...]:
    """Names that `import` finds at a wheel's top, without private ones, tests and examples."""
    found = set()
    for member in members:
        path = PurePosixPath(member)
        if (
            len(path.parts) > 2
            and path.parts[0].endswith(".data")
            and path.parts[1] in ("purelib", "platlib")
        ):
            path = PurePosixPath(*path.parts[2:])
        if match := _IMPORTABLE.match(str(path)):
            found.add(match[1])
    return tuple(sorted(found - _NOT_IMPORTED))


def _refusal(name: str, failed: str, expected: str = "", found: object = "") -> ForeignOutputRefused:
    return ForeignOutputRefused(
        f"the wheel {name} was refused: {failed}", expected=expected, found=str(found)[:300]
    )


def _check_members(pack: zipfile.ZipFile, max_bytes: int, refuse: partial[ForeignOutputRefused]) -> None:
    members = pack.infolist()
    if len(members) > _MAX_MEMBERS:
        raise refuse("it has too many members", f"at most {_MAX_MEMBERS}", len(members))
    seen: set[str] = set()
    unpacked = 0
    for member in members:
        path = PurePosixPath(member.filename)
        if (
            path.is_absolute()
            or ".." in path.parts
            or "\\" in member.filename
            or "\0" in member.orig_filename
        ):
            raise refuse("a member leaves the folder", "relative paths without ..", member.filename)
        if member.filename in seen:
            raise refuse("a member is there twice", "each path once", member.filename)
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise refuse("a member is a symbolic link", "files and folders", member.filename)
        seen.add(member.filename)
        unpacked += member.file_size
        if member.file_size > (1 << 20) and member.file_size > _MAX_RATIO * max(member.compress_size, 1):
            raise refuse("a member is a compression bomb", f"at most {_MAX_RATIO} to 1", member.filename)
    if unpacked > 20 * max_bytes:
        raise refuse("it is too large unpacked", f"at most {20 * max_bytes} bytes", unpacked)
