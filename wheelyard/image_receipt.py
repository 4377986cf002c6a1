"""The receipt of a runtime image: what is in it, who brought it, what needs what, and what is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wheelyard.digests import Digest
from wheelyard.store.contract import Store

RECEIPTS = "records/receipts/"
RECEIPT_FORMAT = 2
"""Raised when a receipt says more or something else; part of its name, so that it is made again."""


class PartKind(StrEnum):
    """What brought files into an image."""

    WHEEL = "wheel"
    PACKAGE = "package"
    NATIVE = "native"
    APPLICATION = "application"
    REST = "rest"


class Reach(StrEnum):
    """How an ELF file comes to run. The first four are read out of the files; `mentioned` is a guess."""

    STARTED = "started"
    IMPORTED = "imported"
    NEEDED = "needed"
    MENTIONED = "mentioned"
    PLUGIN = "plugin"
    FOREIGN = "foreign"
    NOTHING = "nothing"

    @property
    def is_proved(self) -> bool:
        """Whether the loader or Python's import leads to it, whatever a program does."""
        return self in (Reach.STARTED, Reach.IMPORTED, Reach.NEEDED)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Component:
    """Something inside a wheel, as the wheel's own SBOM says."""

    name: str
    version: str
    purl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Everything in an image that came from one place.

    :param name: of a project or package; of the rest of a layer, the layer's title.
    :param layer: digest of the layer with most of it.
    :param files: number of its files.
    :param unpacked: bytes of its files.
    :param compressed: bytes in the layers; its share by size, where it is not alone in one.
    :param alone: whether no other part has files in its layers, so that `compressed` is no estimate.
    :param licences: SPDX identifiers or `LicenseRef-…`; empty where nothing is said.
    :param licence_source: where they are said; empty where nothing is.
    :param requires: projects of the image that it requires.
    :param digest: of the wheel; empty for others.
    :param filename: of the wheel.
    :param architecture: of a Debian package.
    :param source: of a Debian package: its source package, where that goes by another name or version.
    :param components: what the wheel's own SBOMs say is inside.
    """

    kind: PartKind
    name: str
    version: str = ""
    layer: str = ""
    files: int = 0
    unpacked: int = 0
    compressed: int = 0
    alone: bool = True
    licences: tuple[str, ...] = ()
    licence: str = ""
    licence_source: str = ""
    requires: tuple[str, ...] = ()
    digest: str = ""
    filename: str = ""
    architecture: str = ""
    source: str = ""
    components: tuple[Component, ...] = ()

    @property
    def title(self) -> str:
        """What people call it: `numpy 2.4.6`."""
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A file that can be started.

    :param path: absolute.
    :param owner: title of its part.
    :param kind: `program` for ELF, `script` for one with `#!`.
    :param interpreter: what it is started with; empty for a program that needs none.
    :param can_start: whether its mode allows it and its interpreter is there.
    """

    path: str
    owner: str
    size: int
    kind: str
    interpreter: str
    can_start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFile:
    """An ELF file and what it needs.

    :param path: absolute.
    :param owner: title of its part.
    :param soname: DT_SONAME; empty where there is none.
    :param needs: each DT_NEEDED, and the path that the loader takes for it; empty where none is there.
    :param reach: how it comes to run.
    :param by: path of one file that needs or mentions it; empty where none does.
    """

    path: str
    owner: str
    size: int
    soname: str
    needs: tuple[tuple[str, str], ...]
    reach: Reach
    by: str = ""

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProof:
    """One tool that was looked for.

    :param names: file names that it goes by, as a pattern.
    :param by_content: whether programs were searched for its marks, too, whatever they are called.
    :param found: paths where it is.
    """

    tool: str
    names: str
    by_content: bool
    found: tuple[str, ...]

    @property
    def absent(self) -> bool:
        """Whether it is nowhere."""
        return not self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One of several copies of the same.

    :param owner: title of its part.
    :param size: bytes of all its files.
    """

    owner: str
    paths: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """Something that is in the image more than once.

    :param what: a project such as `ffmpeg`, or a path.
    :param exact: whether the bytes are equal; else only the names say that it is the same project.
    :param saves: bytes less, were only the largest copy kept.
    """

    what: str
    exact: bool
    copies: tuple[Copy, ...]
    saves: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyFor:
    """What is there for the sake of one part alone: without it, nothing would load these.

    :param part: title of a wheel or the application.
    :param packages: titles of the Debian packages and natives of which all loaded files go.
    :param files: number of ELF files.
    :param size: bytes of those files.
    """

    part: str
    packages: tuple[str, ...]
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is inside one image. A pure function of the image: it holds no time and no host.

    :param digest: of the manifest.
    :param image_id: digest of the config.
    :param release: distribution and version as `/etc/os-release` says, `debian-12`; empty where it says none.
    :param size: compressed bytes of all layers.
    :param unpacked: bytes of all tar streams.
    :param files: number of files.
    :param file_bytes: bytes of all files.
    :param layers: bottom first: title, digest, size, unpacked, files.
    :param setuid: files with a setuid or setgid bit.
    :param capabilities: files with capabilities.
    :param looked_at: how much the proofs rest on: paths, programs, scripts, ELF files.
    """

    digest: str
    image_id: str
    toolchain: str
    release: str
    user: str
    size: int
    unpacked: int
    files: int
    file_bytes: int
    layers: tuple[Mapping[str, Any], ...]
    parts: tuple[Part, ...]
    executables: tuple[Executable, ...]
    elves: tuple[ElfFile, ...]
    tools: tuple[ToolProof, ...]
    setuid: tuple[str, ...]
    capabilities: tuple[str, ...]
    repeated: tuple[Repeated, ...]
    only_for: tuple[OnlyFor, ...]
    looked_at: Mapping[str, int]

    @property
    def not_loaded(self) -> tuple[ElfFile, ...]:
        """ELF files that neither the loader nor an import leads to, the largest first."""
        found = (elf for elf in self.elves if not elf.reach.is_proved)
        return tuple(sorted(found, key=lambda elf: (-elf.size, elf.path)))

    @property
    def largest(self) -> tuple[Part, ...]:
        """The parts, the largest first."""
        return tuple(sorted(self.parts, key=lambda part: (-part.unpacked, part.title)))

    def part(self, title: str) -> Part | None:
        """The part of a title."""
        return next((part for part in self.parts if part.title == title), None)

    def licences(self) -> dict[str, tuple[str, ...]]:
        """Licence to the parts that have it; the empty one is for those that say none."""
        found: dict[str, list[str]] = {}
        for part in self.parts:
            if part.kind in (PartKind.WHEEL, PartKind.PACKAGE, PartKind.NATIVE):
                for licence in part.licences or ("",):
                    found.setdefault(licence, []).append(part.title)
        return {licence: tuple(sorted(titles)) for licence, titles in sorted(found.items())}

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        rows: dict[str, Any] = {
            name: [_fields(one) for one in getattr(self, name)]
            for name in ("parts", "executables", "elves", "tools", "repeated", "only_for")
        }
        for row in (*rows["parts"], *rows["repeated"]):
            for name in ("components", "copies"):
                if name in row:
                    row[name] = [_fields(one) for one in row[name]]
        return {"format": RECEIPT_FORMAT, **_fields(self), **rows}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Receipt:
        """Inverse of `to_document`."""
        fields = {name: value for name, value in document.items() if name in cls.__slots__}
        return cls(
            **{
                **fields,
                "layers": tuple(document["layers"]),
                "parts": tuple(_part(one) for one in document["parts"]),
                "executables": tuple(Executable(**one) for one in document["executables"]),
                "elves": tuple(_elf(one) for one in document["elves"]),
                "tools": tuple(
                    ToolProof(**{**one, "found": tuple(one["found"])}) for one in document["tools"]
                ),
                "setuid": tuple(document["setuid"]),
                "capabilities": tuple(document["capabilities"]),
                "repeated": tuple(_repeated(one) for one in document["repeated"]),
                "only_for": tuple(
                    OnlyFor(**{**one, "packages": tuple(one["packages"])}) for one in document["only_for"]
                ),
            }
        )


def _fields(one: Any) -> dict[str, Any]:
    """The fields of a value object, tuples as lists; `asdict` takes ten times as long."""
    values = ((name, getattr(one, name)) for name in one.__slots__)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _part(document: Mapping[str, Any]) -> Part:
    return Part(
        **{
            **document,
            "kind": PartKind(document["kind"]),
            "licences": tuple(document["licences"]),
            "requires": tuple(document["requires"]),
            "components": tuple(Component(**one) for one in document["components"]),
        }
    )


def _elf(document: Mapping[str, Any]) -> ElfFile:
    needs = tuple((str(soname), str(path)) for soname, path in document["needs"])
    return ElfFile(**{**document, "reach": Reach(document["reach"]), "needs": needs})


def _repeated(document: Mapping[str, Any]) -> Repeated:
    copies = tuple(Copy(**{**one, "paths": tuple(one["paths"])}) for one in document["copies"])
    return Repeated(**{**document, "copies": copies})


def receipt_document(digest: Digest) -> str:
    """Name of an image's receipt in the store.

    :param digest: of its manifest.
    """
    return f"{RECEIPTS}{digest.hex}/receipt-{RECEIPT_FORMAT}.json"


def files_document(digest: Digest) -> str:
    """Name of the list of an image's files in the store.

    :param digest: of its manifest.
    """
    return f"{RECEIPTS}{digest.hex}/files-{RECEIPT_FORMAT}.json"


def load_receipt(store: Store, digest: Digest) -> Receipt | None:
    """The receipt of an image, or `None` where none was made.

    :param digest: of its manifest.
    :raises StoreUnavailable: the store does not answer.
    """
    body = store.get_document(receipt_document(digest))
    return None if body is None else Receipt.from_document(json.loads(body))
