"""What of an image is there for one part's sake alone, and what another variant of it would not need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wheelyard.image_receipt import ElfFile, OnlyFor, PartKind, Reach, Receipt

SLIMMER = {
    "opencv-python": "opencv-python-headless",
    "opencv-contrib-python": "opencv-contrib-python-headless",
}
"""Project to one of the same code that needs less of the system."""

_BROUGHT = frozenset({PartKind.PACKAGE, PartKind.NATIVE})


def find_only_for(elves: Sequence[ElfFile], kinds: Mapping[str, PartKind]) -> tuple[OnlyFor, ...]:
    """For each wheel and for the application, the files of others that nothing else leads to.

    :param kinds: title of a part to its kind.
    """
    found = []
    for title, lone in _lone_files(elves).items():
        if kinds.get(title) in (PartKind.WHEEL, PartKind.APPLICATION) and lone:
            found.append(_only_for(title, lone, elves, kinds))
    return tuple(found)


def _lone_files(elves: Sequence[ElfFile]) -> dict[str, set[str]]:
    owner = {elf.path: elf.owner for elf in elves}
    starts: dict[str, list[str]] = defaultdict(list)
    for elf in elves:
        if elf.reach in (Reach.STARTED, Reach.IMPORTED, Reach.MENTIONED):
            starts[elf.owner].append(elf.path)
    reached = {title: reached_from(paths, elves) for title, paths in sorted(starts.items())}
    ways = Counter(path for paths in reached.values() for path in paths)
    return {
        title: {path for path in own if ways[path] == 1 and owner.get(path, "") != title}
        for title, own in reached.items()
    }


def _only_for(
    title: str, lone: Collection[str], elves: Sequence[ElfFile], kinds: Mapping[str, PartKind]
) -> OnlyFor:
    shared = {elf.owner for elf in elves if elf.path not in lone and elf.reach.is_proved}
    packages = {elf.owner for elf in elves if elf.path in lone and kinds.get(elf.owner) in _BROUGHT}
    return OnlyFor(
        part=title,
        packages=tuple(sorted(packages - shared)),
        files=len(lone),
        size=sum(elf.size for elf in elves if elf.path in lone),
    )


def reached_from(starts: Iterable[str], elves: Sequence[ElfFile]) -> set[str]:
    """Files that the loader takes for some others, these among them.

    :param starts: paths.
    """
    targets = {elf.path: [target for _soname, target in elf.needs if target] for elf in elves}
    ahead, seen = list(starts), set[str]()
    while ahead:
        path = ahead.pop()
        if path not in seen:
            seen.add(path)
            ahead += targets.get(path, ())
    return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What another variant of a project would save, computed from what both need.

    :param instead_of: title of the wheel that is in the image.
    :param use: title of the one that would do.
    :param packages: Debian packages and natives that would go.
    :param size: bytes of their files that load; those of the wheels themselves do not count.
    """

    instead_of: str
    use: str
    packages: tuple[str, ...]
    size: int

    @property
    def text(self) -> str:
        """The advice as a sentence."""
        packages = f"{len(self.packages)} package{'' if len(self.packages) == 1 else 's'}"
        return (
            f"use {self.use} instead of {self.instead_of}: "
            f"{packages} and {self.size / 1048576:.1f} MiB of their libraries less"
        )

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields."""
        return {**asdict(self), "text": self.text}


def advise(receipt: Receipt, external: Mapping[str, tuple[str, Collection[str]]]) -> tuple[Advice, ...]:
    """What slimmer variants would save; nothing is said of one whose needs are not known.

    :param external: project to the title of a wheel of it that was built for the image's toolchain, and the
        sonames that this one needs from outside.
    """
    kinds = {part.title: part.kind for part in receipt.parts}
    lone = _lone_files(receipt.elves)
    by_name: dict[str, list[str]] = defaultdict(list)
    for elf in receipt.elves:
        for name in {elf.name, elf.soname} - {""}:
            by_name[name].append(elf.path)
    found = []
    for part in receipt.parts:
        slimmer = SLIMMER.get(part.name) if part.kind is PartKind.WHEEL else None
        if slimmer is None or slimmer not in external:
            continue
        title, sonames = external[slimmer]
        needed = (path for soname in sonames for path in by_name.get(soname, ()))
        goes = lone.get(part.title, set()) - reached_from(needed, receipt.elves)
        saved = _only_for(part.title, goes, receipt.elves, kinds)
        if saved.packages:
            found.append(Advice(instead_of=part.title, use=title, packages=saved.packages, size=saved.size))
    return tuple(found)
