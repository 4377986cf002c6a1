"""What a layer's tar holds: every path, and what its ELF files need. Read once, kept beside the layer."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from runtime_images.elf_needs import MAGIC, ElfNeeds, read_elf

CONTENTS_FORMAT = 2
"""Raised when more is read out of a layer; a part of the stored document's name."""

LOADER_CONF = "etc/ld.so.conf"
_LONGEST_CONF = 1 << 16

Kind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of a layer.

    :param mode: permission bits, setuid and setgid among them.
    :param size: of a file, in bytes.
    :param digest: SHA-256 of a file's bytes, as hexadecimal digits; empty for others.
    :param target: of a symbolic link.
    """

    kind: Kind
    mode: int
    size: int = 0
    digest: str = ""
    target: str = ""

    def same_as(self, other: Entry) -> bool:
        """Whether it makes no difference which of the two lies on top."""
        if self.kind == "folder":
            return other.kind == "folder"
        return self == other


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContents:
    """Every path of one layer, without a slash at its start, its ELF files, and what it tells the loader.

    :param entries: path to what is there.
    :param elves: path to needs, of the ELF files among them.
    :param loader_conf: path to text, of `/etc/ld.so.conf` and the files of `/etc/ld.so.conf.d`.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    elves: Mapping[str, ElfNeeds] = field(default_factory=dict)
    loader_conf: Mapping[str, str] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """The contents as JSON-serialisable rows."""
        # Only where there is any: indexes of packages from before hold the same document without it.
        conf = {"loader_conf": dict(sorted(self.loader_conf.items()))} if self.loader_conf else {}
        return {
            "entries": [
                [path, entry.kind, entry.mode, entry.size, entry.digest, entry.target]
                for path, entry in sorted(self.entries.items())
            ],
            "elves": {path: needs.to_document() for path, needs in sorted(self.elves.items())},
            **conf,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LayerContents:
        """Inverse of `to_document`."""
        return cls(
            entries={
                path: Entry(kind=kind, mode=mode, size=size, digest=digest, target=target)
                for path, kind, mode, size, digest, target in document["entries"]
            },
            elves={path: ElfNeeds.from_document(row) for path, row in document["elves"].items()},
            loader_conf=document.get("loader_conf", {}),
        )


def read_contents(tar: Path, wanted: Callable[[tarfile.TarInfo], bool] | None = None) -> LayerContents:
    """Read every member of a layer's tar.

    :param tar: uncompressed.
    :param wanted: which members count; None means all.
    """
    entries: dict[str, Entry] = {}
    elves: dict[str, ElfNeeds] = {}
    conf: dict[str, str] = {}
    with tarfile.open(tar, mode="r:", encoding="utf-8") as archive:
        for member in archive:
            path = clean_name(member.name)
            if not path or (wanted is not None and not wanted(member)):
                continue
            if member.islnk() and clean_name(member.linkname) in entries:
                original = clean_name(member.linkname)
                entries[path] = entries[original]
                if original in elves:
                    elves[path] = elves[original]
                continue
            entries[path] = _entry(archive, member)
            if member.isreg() and (stream := archive.extractfile(member)) is not None:
                with stream:
                    if stream.read(4) == MAGIC and (needs := read_elf(stream)) is not None:
                        elves[path] = needs
                    elif _is_loader_conf(path):
                        stream.seek(0)
                        conf[path] = stream.read(_LONGEST_CONF).decode("utf-8", "replace")
    return LayerContents(entries=entries, elves=elves, loader_conf=conf)


def clean_name(name: str) -> str:
    """A member's name as a path in the image: no `./` and no slash at either end."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _is_loader_conf(path: str) -> bool:
    return path == LOADER_CONF or path.startswith(f"{LOADER_CONF}.d/")


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    mode = member.mode & 0o7777
    if member.isdir():
        return Entry(kind="folder", mode=mode)
    if member.issym():
        return Entry(kind="link", mode=mode, target=member.linkname)
    stream = archive.extractfile(member) if member.isfile() or member.islnk() else None
    if stream is None:
        return Entry(kind="other", mode=mode)
    with stream:
        size, digest = _hash(stream)
    return Entry(kind="file", mode=mode, size=size, digest=digest)


def _hash(stream: IO[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()
