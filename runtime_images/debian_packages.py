"""Debian's package database as it lies in an image: who owns a file, and what a slim image keeps of that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

_INFO = "var/lib/dpkg/info/"
_STATUS = "var/lib/dpkg/status"
STATUS_FOLDER = "var/lib/dpkg/status.d"
"""One file a package, as distroless images have them and scanners read them."""


class Files(Protocol):
    """Where the database is read from."""

    def paths(self) -> Iterable[str]:
        """Every path."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or `None`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed package.

    :param name: without its architecture.
    :param version: Debian version.
    :param stanza: its paragraph in dpkg's status file.
    :param md5sums: path to md5 (dpkg's own format) of those of its files that were asked for.
    :param copyright: its licence file; None where the image was made without documentation.
    """

    name: str
    version: str
    stanza: str
    md5sums: Mapping[str, str]
    copyright: bytes | None

    def files(self) -> dict[str, bytes]:
        """What a slim image holds of the package beside its libraries: path to bytes."""
        sums = "".join(f"{digest}  {path}\n" for path, digest in sorted(self.md5sums.items()))
        found = {
            f"{STATUS_FOLDER}/{self.name}": (self.stanza + "\n").encode(),
            f"{STATUS_FOLDER}/{self.name}.md5sums": sums.encode(),
        }
        if self.copyright is not None:
            found[f"usr/share/doc/{self.name}/copyright"] = self.copyright
        return found


def find_owners(files: Files, paths: Iterable[str]) -> tuple[Package, ...]:
    """The packages that own files, by name; none where the image has no dpkg database.

    :param paths: in the image, without a slash at their start.
    """
    status = files.read(_STATUS)
    if status is None:
        return ()
    # With a merged /usr a package of Debian 12 still says /lib of what lies in /usr/lib.
    spellings = {spelling: path for path in paths for spelling in (path, path.removeprefix("usr/"))}
    stanzas = _stanzas(status.decode("utf-8", "replace"))
    found = []
    lists = (path for path in files.paths() if path.startswith(_INFO) and path.endswith(".list"))
    for list_path in sorted(lists):
        lines = (files.read(list_path) or b"").decode("utf-8", "replace").splitlines()
        full_name = list_path.removeprefix(_INFO).removesuffix(".list")
        name = full_name.split(":")[0]
        if name in stanzas and any(line.lstrip("/") in spellings for line in lines):
            sums = files.read(f"{_INFO}{full_name}.md5sums") or b""
            found.append(
                Package(
                    name=name,
                    version=_field(stanzas[name], "Version"),
                    stanza=stanzas[name],
                    md5sums=_sums(sums.decode("utf-8", "replace").splitlines(), spellings),
                    copyright=files.read(f"usr/share/doc/{name}/copyright"),
                )
            )
    return tuple(found)


def _stanzas(status: str) -> dict[str, str]:
    paragraphs = (paragraph.strip("\n") for paragraph in status.split("\n\n"))
    return {_field(text, "Package"): text for text in paragraphs if text}


def _field(stanza: str, name: str) -> str:
    match = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    return match[1].strip() if match else ""


def _sums(lines: Iterable[str], spellings: Mapping[str, str]) -> dict[str, str]:
    sums = {}
    for line in lines:
        digest, _, path = line.partition("  ")
        if path in spellings:
            sums[spellings[path]] = digest
    return sums
