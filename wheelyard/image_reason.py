"""Why something is in an image: the chain from a wheel over files and sonames, or over requirements."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from packaging.utils import canonicalize_name

from wheelyard.errors import NotFound
from wheelyard.image_receipt import ElfFile, Part, PartKind, Reach, Receipt
from wheelyard.listed_files import ListedFile

_MOST_FOUND = 20
_MOST_CHAINS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One file on the way from a wheel to what was asked for.

    :param path: absolute.
    :param owner: title of its part.
    :param size: in bytes.
    :param soname: by which the file before it names this one; empty for the first.
    :param how: `needs` where the loader follows, `mentions` where the name stands among the other's bytes.
    """

    path: str
    owner: str
    size: int
    soname: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one thing is there.

    :param kind: `library`, `file`, `project`, `package`, `native`, `application`, `rest`.
    :param title: of the file or part.
    :param owner: title of its part.
    :param layer: title of the layer that it lies in; empty where nobody knows.
    :param reach: how an ELF file comes to run; empty for what is none.
    :param chains: from a file that starts or is imported to this one, the shortest of each owner.
    :param required_by: titles of projects, from one that nobody requires to this one.
    """

    kind: str
    title: str
    owner: str
    size: int
    layer: str
    reach: str = ""
    chains: tuple[tuple[Step, ...], ...] = ()
    required_by: tuple[tuple[str, ...], ...] = ()

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields."""
        return asdict(self)


def explain(receipt: Receipt, files: Iterable[ListedFile], asked: str) -> tuple[Reason, ...]:
    """Why something is in an image.

    :param files: of the image.
    :param asked: a path, the name of a library or its beginning, of a project, or of a Debian package.
    :raises NotFound: nothing in the image is called so.
    """
    words = asked.strip()
    account = _Account(receipt, files)
    found = list(account.reasons(words)) if words else []
    if not found:
        raise NotFound(
            f"nothing in the image is called {words[:200]!r}",
            expected="a path, a library such as libLLVM, a project, or a Debian package",
            do="see `wheelyard image receipt IMAGE` for what is in it",
        )
    return tuple(found[:_MOST_FOUND])


class _Account:
    def __init__(self, receipt: Receipt, files: Iterable[ListedFile]) -> None:
        self._receipt = receipt
        self._files = {file.path: file for file in files}
        self._elves = {elf.path: elf for elf in receipt.elves}
        self._parts = {part.title: part for part in receipt.parts}
        self._layers = {str(layer["digest"]): str(layer["title"]) for layer in receipt.layers}

    def reasons(self, asked: str) -> Iterator[Reason]:
        if asked.startswith("/"):
            yield from self._of_path(asked)
            return
        parts = [part for part in self._receipt.parts if _is_called(part, asked)]
        yield from map(self._of_part, parts)
        if not parts:
            yield from map(self._of_elf, self._libraries(asked))

    def _of_path(self, path: str) -> Iterator[Reason]:
        file = self._files.get(path)
        seen: set[str] = set()
        while file is not None and file.digest.startswith("-> ") and file.path not in seen:
            seen.add(file.path)
            file = self._target(file)
        if file is not None and file.path in self._elves:
            yield self._of_elf(self._elves[file.path])
        elif file is not None:
            part = self._parts.get(file.owner)
            yield Reason(
                kind="file",
                title=file.path,
                owner=file.owner,
                size=file.size,
                layer=self._layer(part),
                required_by=self._required(part),
            )

    def _target(self, link: ListedFile) -> ListedFile | None:
        target = link.digest.removeprefix("-> ")
        return self._files.get(posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target)))

    def _of_part(self, part: Part) -> Reason:
        loaded = [elf for elf in self._receipt.elves if elf.owner == part.title and elf.reach is Reach.NEEDED]
        largest = max(loaded, key=lambda elf: (elf.size, elf.path), default=None)
        return Reason(
            kind="project" if part.kind is PartKind.WHEEL else part.kind.value,
            title=part.title,
            owner=part.title,
            size=part.unpacked,
            layer=self._layer(part),
            chains=() if largest is None or part.kind is PartKind.WHEEL else self._chains(largest),
            required_by=self._required(part),
        )

    def _of_elf(self, elf: ElfFile) -> Reason:
        part = self._parts.get(elf.owner)
        return Reason(
            kind="library",
            title=elf.path,
            owner=elf.owner,
            size=elf.size,
            layer=self._layer(part),
            reach=elf.reach.value,
            chains=self._chains(elf),
            required_by=self._required(part),
        )

    def _libraries(self, asked: str) -> list[ElfFile]:
        """ELF files whose name is that, else those whose name begins so, else those that have it in it."""
        word = asked.lower()
        elves = sorted(self._receipt.elves, key=lambda elf: (-elf.size, elf.path))
        for fits in (str.__eq__, str.startswith, str.__contains__):
            found = [elf for elf in elves if any(fits(name.lower(), word) for name in (elf.name, elf.soname))]
            if found:
                return found
        return []

    def _layer(self, part: Part | None) -> str:
        return "" if part is None else self._layers.get(part.layer, "")

    def _required(self, part: Part | None) -> tuple[tuple[str, ...], ...]:
        """Each way down to a project from one that no other project requires, the short ones first."""
        if part is None or part.kind is not PartKind.WHEEL:
            return ()
        found: list[tuple[str, ...]] = []
        ahead: deque[tuple[str, ...]] = deque([(part.name,)])
        while ahead and len(found) < _MOST_CHAINS:
            way = ahead.popleft()
            above = [name for name in self._requirers.get(way[0], ()) if name not in way]
            if not above and len(way) > 1:
                found.append(tuple(self._title_of.get(name, name) for name in way))
            ahead += [(name, *way) for name in above]
        return tuple(found)

    @cached_property
    def _title_of(self) -> dict[str, str]:
        return {part.name: part.title for part in self._receipt.parts if part.kind is PartKind.WHEEL}

    @cached_property
    def _requirers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for part in self._receipt.parts:
            for name in part.requires:
                found.setdefault(name, []).append(part.name)
        return found

    @cached_property
    def _ways(self) -> Mapping[str, list[tuple[str, str, str]]]:
        """Path to what leads there: the file, the soname by which, and how."""
        ways: dict[str, list[tuple[str, str, str]]] = {}
        for elf in self._receipt.elves:
            for soname, target in elf.needs:
                if target:
                    ways.setdefault(target, []).append((elf.path, soname, "needs"))
            if elf.by and elf.reach in (Reach.MENTIONED, Reach.PLUGIN):
                ways.setdefault(elf.path, []).append((elf.by, elf.name, "mentions"))
        return ways

    def _chains(self, target: ElfFile) -> tuple[tuple[Step, ...], ...]:
        """The shortest way from each owner's files that run by themselves; wheels come first."""
        found: dict[str, tuple[Step, ...]] = {}
        after: dict[str, tuple[str, str, str]] = {target.path: ("", "", "")}
        ahead = deque([target.path])
        while ahead:
            path = ahead.popleft()
            elf = self._elves.get(path)
            runs = elf is None or elf.reach in (Reach.STARTED, Reach.IMPORTED)
            owner = self._owner(path)
            if runs and path != target.path and owner not in found:
                found[owner] = tuple(self._steps(path, after))
            for before, soname, how in sorted(self._ways.get(path, ())):
                if before not in after:
                    after[before] = (path, soname, how)
                    ahead.append(before)
        kinds = {PartKind.WHEEL: 0, PartKind.APPLICATION: 1, PartKind.NATIVE: 2}
        order = sorted(
            found.items(),
            key=lambda item: (
                kinds.get(self._parts[item[0]].kind, 3) if item[0] in self._parts else 4,
                len(item[1]),
                item[0],
            ),
        )
        return tuple(steps for _owner, steps in order[:_MOST_CHAINS])

    def _steps(self, start: str, after: Mapping[str, tuple[str, str, str]]) -> Iterator[Step]:
        path, soname, how = start, "", ""
        while path:
            yield Step(path=path, owner=self._owner(path), size=self._size(path), soname=soname, how=how)
            path, soname, how = after[path]

    def _owner(self, path: str) -> str:
        elf, file = self._elves.get(path), self._files.get(path)
        return elf.owner if elf is not None else file.owner if file is not None else ""

    def _size(self, path: str) -> int:
        elf, file = self._elves.get(path), self._files.get(path)
        return elf.size if elf is not None else file.size if file is not None else 0


def _is_called(part: Part, asked: str) -> bool:
    if asked in (part.name, part.title):
        return True
    return part.kind is PartKind.WHEEL and canonicalize_name(asked) == part.name
