"""The check of a wheel that foreign code made; runs nothing of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from packaging.tags import Tag
from packaging.utils import (
    BuildTag,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelyard.distributions.core_metadata import LONGEST_METADATA, CoreMetadata, read_core_metadata
from wheelyard.distributions.record_lines import LONGEST_RECORD, compare_names, read_record
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.zip_archive import ZipMember, read_zip
from wheelyard.distributions.zip_bytes import member_bytes, member_pieces

_FILENAME = re.compile(r"[A-Za-z0-9._+!-]+\.whl")
NOT_IMPORTED = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks", "scripts"}
)
IMPORTABLE = re.compile(r"^([A-Za-z][A-Za-z0-9_]*)(/__init__\.py|\.py|(\.[\w-]+)*\.so)$")


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


def check_wheel_file(path: Path, limits: SizeLimits) -> CheckedWheel:
    """Verify that a wheel is one, and is the project and version that its name says (PEP 427, 376 and 566).

    Its zip must be the same to every reader, its RECORD true for every byte, its METADATA of its name.

    :param path: a file with the wheel's own name.
    :raises ForeignOutputRefused: it is not; the text says in which way.
    """
    refuse = Refusal(f"the wheel {path.name}")
    size = path.stat().st_size
    limits.check_file(size, refuse)
    project, version, _, _ = read_wheel_name(path.name, refuse)
    with path.open("rb") as stream:
        members = read_zip(stream, size, limits, refuse)
        files = {member.name: member for member in members if not member.folder}
        folder = _dist_info(files, project, version, refuse)
        metadata = _text(stream, files, f"{folder}/METADATA", LONGEST_METADATA, refuse)
        _check_format(_text(stream, files, f"{folder}/WHEEL", 1 << 20, refuse), refuse)
        found = read_core_metadata(metadata, "METADATA", refuse)
        _check_identity(found, project, version, refuse)
        _check_record(stream, members, files, folder, refuse)
    return CheckedWheel(
        path=path,
        project=str(project),
        version=str(version),
        metadata=metadata,
        requires_python=found.requires_python,
        requires_dist=found.requires_dist,
        modules=top_level_modules(files),
    )


def read_wheel_name(name: str, refuse: Refusal) -> tuple[NormalizedName, Version, BuildTag, frozenset[Tag]]:
    """Project, version, build number and tags of a wheel's file name.

    :raises ForeignOutputRefused: it is none (PEP 427).
    """
    if not _FILENAME.fullmatch(name):
        raise refuse("its name is not a wheel's", "PEP 427", name)
    try:
        return parse_wheel_filename(name)
    except InvalidWheelFilename as error:
        raise refuse("its name is not a wheel's", "PEP 427", error) from error


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
        if match := IMPORTABLE.match(str(path)):
            found.add(match[1])
    return tuple(sorted(found - NOT_IMPORTED))


def _dist_info(files: Iterable[str], project: NormalizedName, version: Version, refuse: Refusal) -> str:
    tops = {name.partition("/")[0] for name in files}
    folders = sorted(top for top in tops if top.lower().endswith(".dist-info"))
    if len(folders) != 1:
        raise refuse("it has not one .dist-info folder", "exactly one (PEP 427)", folders)
    name, _, number = folders[0].removesuffix(".dist-info").rpartition("-")
    try:
        same = canonicalize_name(name) == project and Version(number) == version
    except InvalidVersion:
        same = False
    if not same:
        raise refuse(
            "its .dist-info folder is of another project or version", f"{project} {version}", folders[0]
        )
    return folders[0]


def _text(stream: BinaryIO, files: dict[str, ZipMember], name: str, longest: int, refuse: Refusal) -> bytes:
    member = files.get(name)
    if member is None:
        place = name.rpartition("/")[2]
        raise refuse(f"its {place} is missing", f"{name} (PEP 427)")
    return member_bytes(stream, member, longest, refuse)


def _check_format(body: bytes, refuse: Refusal) -> None:
    form = (HeaderParser().parsestr(body.decode(errors="replace")).get("Wheel-Version") or "").strip()
    if form.partition(".")[0] != "1":
        raise refuse("its WHEEL is of a format that nobody installs", "Wheel-Version 1.x (PEP 427)", form)


def _check_identity(found: CoreMetadata, project: NormalizedName, version: Version, refuse: Refusal) -> None:
    if found.project != project or found.version != version:
        raise refuse(
            "its METADATA names another project or version (PEP 427)",
            f"{project} {version}",
            f"{found.project} {found.version}",
        )


def _check_record(
    stream: BinaryIO, members: list[ZipMember], files: dict[str, ZipMember], folder: str, refuse: Refusal
) -> None:
    """Read every byte of every member, against its header and against RECORD."""
    record = f"{folder}/RECORD"
    lines = read_record(_text(stream, files, record, LONGEST_RECORD, refuse), refuse)
    compare_names(lines, set(files), folder, refuse)
    for member in members:
        line = lines.get(member.name)
        if line is None or member.name == record:
            for _ in member_pieces(stream, member, refuse):
                pass
            continue
        digester = line.digester(member.name, refuse)
        for piece in member_pieces(stream, member, refuse):
            digester.update(piece)
        line.check(member.name, digester, member.size, refuse)
