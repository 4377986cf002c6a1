"""Locks: exact versions with hashes for a set of requirements, and the index's files that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.digests import Digest
from wheelyard.errors import InputError

SDIST_SUFFIXES = (".tar.gz", ".zip")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class IndexFile:
    """One file of an index: a name without any folder, and the digest that the index gives for it.

    :param filename: an sdist's or a wheel's name.
    :param digest: of its bytes.
    :raises InputError: the name is not a plain one.
    """

    filename: str
    digest: Digest

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.filename):
            raise InputError(
                "a file of the index has a name that no sdist or wheel may have",
                expected="letters, digits and . _ + ! -, at most 255 of them",
                found=repr(self.filename[:80]),
            )

    @property
    def is_wheel(self) -> bool:
        """Whether the name is a wheel's."""
        return self.filename.endswith(".whl")

    @property
    def is_sdist(self) -> bool:
        """Whether the name is an sdist's (PEP 625, and the zip archives from before it)."""
        return self.filename.endswith(SDIST_SUFFIXES)

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {"filename": self.filename, "digest": str(self.digest)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> IndexFile:
        """Inverse of `to_document`."""
        return cls(filename=document["filename"], digest=Digest.parse(document["digest"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One project at one version, with the files that the lock allows for it.

    :param project: canonical name (PEP 503).
    :param version: public version (PEP 440).
    :param files: sorted by name. In a lock of build requirements it is the one wheel that pip chose for the
        toolchain.
    """

    project: str
    version: str
    files: tuple[IndexFile, ...]

    @property
    def sdist(self) -> IndexFile | None:
        """The source distribution, a tar before a zip; `None` where the lock has none."""
        sources = [file for file in self.files if file.is_sdist]
        return min(sources, key=lambda file: not file.filename.endswith(".tar.gz"), default=None)

    @property
    def wheels(self) -> tuple[IndexFile, ...]:
        """The wheels among the files."""
        return tuple(file for file in self.files if file.is_wheel)

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "project": self.project,
            "version": self.version,
            "files": [file.to_document() for file in self.files],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Pin:
        """Inverse of `to_document`."""
        return cls(
            project=document["project"],
            version=document["version"],
            files=tuple(IndexFile.from_document(file) for file in document["files"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a set of requirements means for one toolchain, at the time when it was resolved.

    :param pins: sorted by project.
    :param text: the lock as pip-tools wrote it, for pip's `--require-hashes`; no index address is in it.
    """

    pins: tuple[Pin, ...]
    text: str

    def pin(self, project: str) -> Pin | None:
        """The pin of a project, or `None`."""
        name = canonicalize_name(project)
        return next((pin for pin in self.pins if pin.project == name), None)

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {"pins": [pin.to_document() for pin in self.pins], "text": self.text}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Lock:
        """Inverse of `to_document`."""
        return cls(pins=tuple(Pin.from_document(pin) for pin in document["pins"]), text=document["text"])


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLine:
    """One requirement of a lock's text.

    :param project: canonical name (PEP 503).
    :param version: what stands behind `==`.
    :param digests: every hash that is allowed.
    """

    project: str
    version: str
    digests: frozenset[Digest]


def _logical_lines(text: str) -> Iterator[str]:
    joined = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            continue
        joined += stripped.removesuffix("\\")
        if not stripped.endswith("\\"):
            if joined.strip():
                yield joined.strip()
            joined = ""
    if joined.strip():
        yield joined.strip()


def parse_lock_text(text: str) -> tuple[LockedLine, ...]:
    """Read the text of a lock with hashes, and nothing but that.

    :param text: lines such as `numpy==2.4.6 --hash=sha256:…`, continued with backslashes.
    :raises InputError: a line is an option, an address, not pinned, or without a hash.
    """
    found = []
    for line in _logical_lines(text):
        words = re.split(r"\s+--hash=", line)
        try:
            requirement = Requirement(words[0])
            digests = frozenset(Digest.parse(word) for word in words[1:])
        except (InvalidRequirement, InputError) as error:
            raise InputError(
                "a lock has a line that can't be read",
                expected="NAME==VERSION --hash=sha256:…",
                found=line[:200],
            ) from error
        clauses = list(requirement.specifier)
        pinned = len(clauses) == 1 and clauses[0].operator == "==" and not clauses[0].version.endswith(".*")
        if requirement.url is not None or not pinned or not digests:
            raise InputError(
                "a lock has a line that does not pin a version by hash",
                expected="NAME==VERSION --hash=sha256:…",
                found=line[:200],
            )
        found.append(
            LockedLine(
                project=canonicalize_name(requirement.name), version=clauses[0].version, digests=digests
            )
        )
    return tuple(found)
