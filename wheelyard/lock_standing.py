"""How a lock stands to an index: which lines pip could install there for a toolchain, by which wheel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin

from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.user_lock import PinnedLine
from wheelyard.wheel_tags import accepted_tags, machine_of

# A toolchain says 3.11 and not which of them: what holds for its first or for any later one counts.
_PATCHES = (0, 99)


class Standing(StrEnum):
    """What an index has for one line of a lock."""

    READY = "ready"
    MISSING = "missing"
    OTHER_BYTES = "other bytes"
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedFile:
    """One file of a project's page (PEP 691).

    :param url: its whole address.
    :param digest: None where the page gives no SHA-256.
    :param yanked: whether it was taken back (PEP 592); an exact pin installs it all the same.
    """

    filename: str
    url: str
    digest: Digest | None
    requires_python: str
    yanked: bool

    @classmethod
    def of_page(cls, page: Mapping[str, Any], address: str) -> tuple[OfferedFile, ...]:
        """The files of a page.

        :param address: of the page, to which its links are relative.
        """
        return tuple(
            cls(
                filename=str(file["filename"]),
                url=urljoin(address, str(file["url"])),
                digest=_digest((file.get("hashes") or {}).get("sha256")),
                requires_python=str(file.get("requires-python") or ""),
                yanked=file.get("yanked", False) is not False,
            )
            for file in page.get("files") or ()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRoom:
    """Where the lock shall be installed: a toolchain's Python on its platform.

    :param python: its minor version, such as `3.11`.
    :param tag: its Python tag, such as `cp311`.
    :param policy: its platform tag, such as `manylinux_2_36_x86_64`.
    """

    python: str
    tag: str
    policy: str

    @classmethod
    def of_toolchain(cls, document: Mapping[str, Any]) -> PythonRoom:
        """That of a toolchain, as the service describes it."""
        return cls(python=document["python"], tag=document["tag"], policy=document["policy"])

    def needs(self, marker: Marker | None) -> bool:
        """Whether a requirement with that marker (PEP 508) holds here."""
        return marker is None or any(marker.evaluate(self._environment(patch)) for patch in _PATCHES)

    def runs(self, file: OfferedFile, line: PinnedLine) -> bool:
        """Whether a file is a wheel of the line's version that pip would take here."""
        try:
            project, version, _, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:
            return False
        return (
            project == line.project
            and line.requirement.specifier.contains(version, prereleases=True)
            and self.accepts(tags, file.requires_python)
        )

    def accepts(self, tags: AbstractSet[Tag], requires_python: str) -> bool:
        """Whether a wheel of those tags (PEP 425) that wants that Python (PEP 440) can be used here."""
        if not tags & accepted_tags(self.tag, self.policy):
            return False
        try:
            wanted = SpecifierSet(requires_python)
        except InvalidSpecifier:
            return True  # pip passes over what it can't read.
        return any(wanted.contains(f"{self.python}.{patch}") for patch in _PATCHES)

    def _environment(self, patch: int) -> dict[str, str]:
        full = f"{self.python}.{patch}"
        return {
            "python_version": self.python, "python_full_version": full, "implementation_version": full,
            "implementation_name": "cpython", "platform_python_implementation": "CPython",
            "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux",
            "platform_machine": machine_of(self.policy), "platform_release": "", "platform_version": "",
            "extra": "",
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStanding:
    """One line of a lock against an index.

    :param wheels: those of its version that fit the toolchain; where some have a hash that the line allows,
        only these.
    """

    line: PinnedLine
    standing: Standing
    wheels: tuple[OfferedFile, ...] = ()

    @classmethod
    def of(cls, line: PinnedLine, offered: Iterable[OfferedFile], room: PythonRoom) -> LineStanding:
        """What the page of a line's project means for it."""
        if not room.needs(line.marker):
            return cls(line=line, standing=Standing.NOT_NEEDED)
        fitting = tuple(file for file in offered if room.runs(file, line))
        if not fitting:
            return cls(line=line, standing=Standing.MISSING)
        allowed = tuple(file for file in fitting if file.digest in line.digests)
        if line.digests and not allowed:
            return cls(line=line, standing=Standing.OTHER_BYTES, wheels=fitting)
        return cls(line=line, standing=Standing.READY, wheels=allowed or fitting)


def _digest(text: object) -> Digest | None:
    try:
        return Digest.parse(str(text)) if text else None
    except InputError:
        return None
