"""What differs between two images: wheels, packages, files, layers, sizes and how they run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wheelyard.image_receipt import Part, PartKind, Receipt
from wheelyard.listed_files import ListedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountedImage:
    """One side of a comparison.

    :param config: the image's config document.
    """

    receipt: Receipt
    files: tuple[ListedFile, ...]
    config: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChange:
    """A part that only one image has, or that both have and not the same.

    :param what: `added`, `removed`, `changed` (another version) or `rebuilt` (the same one, other bytes).
    :param before: its version; empty where it was not there.
    :param after: its version; empty where it is not there.
    :param unpacked: bytes that its files grew by.
    """

    what: str
    kind: str
    name: str
    before: str
    after: str
    unpacked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that differs.

    :param what: `added`, `removed` or `changed`.
    :param owner: title of the part that has it now, or had it.
    :param size: bytes that it grew by.
    """

    what: str
    path: str
    owner: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDifference:
    """What the second image has more, less or otherwise than the first.

    :param size: compressed bytes that it grew by.
    :param file_bytes: bytes that its files grew by.
    :param shared_layers: number of layers that both have.
    :param to_pull: compressed bytes of the layers that only the second one has.
    :param settings: how it runs: name to what it was and is; None where it is not set.
    """

    before: str
    after: str
    size: int
    file_bytes: int
    shared_layers: int
    new_layers: int
    to_pull: int
    parts: tuple[PartChange, ...]
    files: tuple[FileChange, ...]
    settings: Mapping[str, tuple[Any, Any]]

    @property
    def equal(self) -> bool:
        """Whether both are the very same image."""
        return self.before == self.after

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields."""
        settings = {name: {"before": old, "after": new} for name, (old, new) in self.settings.items()}
        return {**asdict(self), "equal": self.equal, "settings": settings}


def compare_images(before: AccountedImage, after: AccountedImage) -> ImageDifference:
    """Compare two images.

    :param before: what the other one is compared with.
    """
    old, new = before.receipt, after.receipt
    had = {layer["digest"] for layer in old.layers}
    added = {layer["digest"]: int(layer["size"]) for layer in new.layers if layer["digest"] not in had}
    return ImageDifference(
        before=old.digest,
        after=new.digest,
        size=new.size - old.size,
        file_bytes=new.file_bytes - old.file_bytes,
        shared_layers=len({layer["digest"] for layer in new.layers} & had),
        new_layers=len(added),
        to_pull=sum(added.values()),
        parts=tuple(_parts(old, new, _contents(before.files), _contents(after.files))),
        files=tuple(_files(before.files, after.files)),
        settings=_settings(before.config, after.config),
    )


def _contents(files: Iterable[ListedFile]) -> dict[str, frozenset[tuple[str, int, str]]]:
    """Title of a part to its files' paths, modes and digests."""
    found: dict[str, set[tuple[str, int, str]]] = {}
    for file in files:
        found.setdefault(file.owner, set()).add((file.path, file.mode, file.digest))
    return {owner: frozenset(rows) for owner, rows in found.items()}


def _parts(
    old: Receipt,
    new: Receipt,
    had: Mapping[str, frozenset[tuple[str, int, str]]],
    has: Mapping[str, frozenset[tuple[str, int, str]]],
) -> Iterator[PartChange]:
    before, after = _named(old), _named(new)
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if one is not None and other is not None:
            what = "changed" if one.version != other.version else "rebuilt"
            if what == "rebuilt" and had.get(one.title) == has.get(other.title):
                continue
        else:
            what = "added" if one is None else "removed"
        yield PartChange(
            what=what,
            kind=key[0],
            name=key[1],
            before="" if one is None else one.version,
            after="" if other is None else other.version,
            unpacked=(0 if other is None else other.unpacked) - (0 if one is None else one.unpacked),
        )


def _named(receipt: Receipt) -> dict[tuple[str, str], Part]:
    # The rest of a layer goes by its title, which names what else is in the layer.
    return {(part.kind.value, part.name): part for part in receipt.parts if part.kind is not PartKind.REST}


def _files(before: Iterable[ListedFile], after: Iterable[ListedFile]) -> Iterator[FileChange]:
    old, new = {file.path: file for file in before}, {file.path: file for file in after}
    for path in sorted(old.keys() | new.keys()):
        one, other = old.get(path), new.get(path)
        if one is not None and other is not None:
            if not one.same_as(other):
                yield FileChange(what="changed", path=path, owner=other.owner, size=other.size - one.size)
        elif other is not None:
            yield FileChange(what="added", path=path, owner=other.owner, size=other.size)
        elif one is not None:
            yield FileChange(what="removed", path=path, owner=one.owner, size=-one.size)


def _settings(before: bytes, after: bytes) -> dict[str, tuple[Any, Any]]:
    old, new = _flat(before), _flat(after)
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _flat(config: bytes) -> dict[str, Any]:
    """What a config says of how the image runs, variables and labels one by one."""
    document = json.loads(config)
    settings = dict(document.get("config") or {})
    found = {
        f"Env {name}": value for name, _, value in (one.partition("=") for one in settings.pop("Env", ()))
    }
    found |= {f"Label {name}": value for name, value in (settings.pop("Labels", None) or {}).items()}
    return {**settings, **found, "Architecture": document.get("architecture")}
