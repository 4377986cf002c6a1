"""Listings: what an index says about one project, and the questions that a resolver's errors ask of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelyard.digests import Digest

Kind = Literal["sdist", "wheel", "other"]


def read_filename(project: str, filename: str) -> tuple[Kind, Version | None]:
    """What a file is and which version it holds, by its name; `("other", None)` where that tells neither.

    :param project: canonical name; a file of another project is an "other" one.
    """
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            kind: Kind = "wheel"
        else:
            name, version = parse_sdist_filename(filename)
            kind = "sdist"
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return "other", None
    return (kind, version) if canonicalize_name(name) == project else ("other", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """One file of a project page (PEP 503, 592, 658, 691, 700).

    :param url: where the index keeps it; never shown to a container.
    :param digest: SHA-256 that the index gives; `None` where it gives none.
    :param version: told from the name; `None` for names that pip would not read either.
    :param yanked: reason of the yank, perhaps empty; `None` for a file that is not yanked.
    :param has_metadata: whether its metadata can be had by itself (PEP 658).
    :param metadata: SHA-256 of that metadata, where the index gives it.
    :param size: in bytes; `None` where the index does not say.
    :param uploaded: ISO 8601; empty where the index does not say.
    """

    filename: str
    url: str
    digest: Digest | None
    kind: Kind
    version: Version | None
    requires_python: str = ""
    yanked: str | None = None
    has_metadata: bool = False
    metadata: Digest | None = None
    size: int | None = None
    uploaded: str = ""

    def fits(self, python: str) -> bool:
        """Whether some patch version of a Python satisfies `Requires-Python`; what can't be read does.

        :param python: major and minor version, for instance `3.11`.
        """
        try:
            wanted = SpecifierSet(self.requires_python)
        except InvalidSpecifier:
            return True
        return any(wanted.contains(f"{python}.{patch}") for patch in (0, 2, 99))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One project's page.

    :param project: canonical name (PEP 503).
    """

    project: str
    files: tuple[ListedFile, ...]

    def find(self, filename: str) -> ListedFile | None:
        """The file of that name, or `None`."""
        return next((file for file in self.files if file.filename == filename), None)

    def of_version(self, version: Version | str) -> tuple[ListedFile, ...]:
        """The files of one version."""
        wanted = Version(str(version))
        return tuple(file for file in self.files if file.version == wanted)

    def versions(self) -> tuple[Version, ...]:
        """Every version that has a file with a hash, newest first."""
        return _newest_first(file.version for file in self._usable())

    def source_versions(self) -> tuple[Version, ...]:
        """Every version that has an sdist with a hash, newest first."""
        return _newest_first(file.version for file in self._usable() if file.kind == "sdist")

    def with_sources(self) -> Listing:
        """The same project as if versions without an sdist did not exist."""
        sourced = set(self.source_versions())
        return Listing(
            project=self.project, files=tuple(file for file in self._usable() if file.version in sourced)
        )

    def with_hashes(self) -> Listing:
        """The same project as if files that can't be verified or read did not exist."""
        return Listing(project=self.project, files=self._usable())

    def _usable(self) -> tuple[ListedFile, ...]:
        return tuple(file for file in self.files if file.version is not None and file.digest is not None)


def _newest_first(versions: Iterable[Version | None]) -> tuple[Version, ...]:
    return tuple(sorted({version for version in versions if version is not None}, reverse=True))
