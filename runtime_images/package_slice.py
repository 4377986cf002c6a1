"""Which files of Debian packages an image takes: those that were asked for, and those that they load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from runtime_images.deb_index import DebIndex
from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import LayerContents
from runtime_images.library_closure import Closure, find_closure
from runtime_images.opened_files import LINKS, opened_with

_DOCUMENTATION = "usr/share/doc/"


@dataclass(slots=True, kw_only=True)
class Slice:
    """What is taken.

    :param files: path to package, of regular files.
    :param links: path to target, of symbolic links.
    :param owners: path of a link to its package; links that we make have none.
    :param libraries: soname to path, of the libraries among them.
    :param nowhere: soname that no package of the closure has, to the path that needs it.
    """

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    nowhere: dict[str, str] = field(default_factory=dict)

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages of which something is taken."""
        return tuple(sorted({*self.files.values(), *self.owners.values()}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """What lies below the packages.

    :param tree: its files.
    :param packages: name to version of the Debian packages in it.
    """

    tree: FileTree
    packages: Mapping[str, str] = field(default_factory=dict)


def slice_packages(
    pool: Mapping[str, DebIndex],
    below: Below,
    machine: str,
    *,
    asked: Sequence[str] = (),
    whole: Sequence[str] = (),
    sonames: Iterable[str] = (),
) -> Slice:
    """Take files of packages.

    Of a package that was asked for, all of its own files; of one that was asked for whole, also those of all
    that it depends on; of every other one what ELF files load, and what the curated table says is opened.
    A package of the base that the closure has in another version replaces what the base has of it.

    :param pool: packages by name: all that was asked for and all that they need beyond the base.
    :param asked: names; one without any file of its own stands for those that it depends on.
    :param whole: names.
    :param sonames: libraries that must be there whoever has them.
    """
    return _Slicer(pool, below, machine).take(asked, whole, sonames)


class _Slicer:
    """One slicing: all files of all packages over the base, and what was taken of them so far."""

    def __init__(self, pool: Mapping[str, DebIndex], below: Below, machine: str) -> None:
        self._pool = pool
        self._below = below
        self._machine = machine
        self._tree = FileTree()
        self._tree.lay(LayerContents(entries=dict(below.tree.items())))
        self._owner: dict[str, str] = {}
        self._elves: dict[str, ElfNeeds] = {}
        for name in sorted(pool):
            contents = pool[name].contents
            self._tree.lay(contents)
            self._elves |= {path: needs for path, needs in contents.elves.items() if needs.machine == machine}
            for path, entry in contents.entries.items():
                if entry.kind != "folder":
                    self._owner[path] = name
        self._closure = Closure()
        self._paths: dict[str, None] = {}
        self._made: dict[str, str] = {}

    def take(self, asked: Sequence[str], whole: Sequence[str], sonames: Iterable[str]) -> Slice:
        """The whole of it; see `slice_packages`."""
        own = self._with_files(asked)
        everything = self._closure_of(whole)
        for name in sorted(own | everything):
            self._take_paths(self._own_paths(name))
        for name, index in self._pool.items():
            if self._below.packages.get(name, index.version) != index.version:
                self._take_paths(path for path in self._own_paths(name) if self._below.tree.get(path))
        self._load(sonames)
        told: set[str] = set()
        while new := set(self._touched()) - told:
            told |= new
            for name in sorted(new):
                self._take_opened(name, asked=name in own | everything)
            self._load(())
        for name in sorted(own | everything):
            self._made |= {path: aim for path, aim in LINKS.get(name, {}).items() if not self._is_there(path)}
        return self._result()

    def _with_files(self, names: Iterable[str]) -> set[str]:
        """Packages that stand for what was asked: one with nothing but papers stands for its dependencies."""
        found: set[str] = set()
        ahead, seen = [name for name in names if name in self._pool], set[str]()
        while ahead:
            name = ahead.pop()
            if name in seen:
                continue
            seen.add(name)
            if any(not path.startswith(_DOCUMENTATION) for path in self._own_paths(name)):
                found.add(name)
            else:
                ahead += self._dependencies(name)
        return found

    def _closure_of(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        ahead = [name for name in names if name in self._pool]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += self._dependencies(name)
        return found

    def _dependencies(self, name: str) -> list[str]:
        provided = {virtual: index.name for index in self._pool.values() for virtual in index.provides}
        found = []
        for choices in self._pool[name].depends:
            there = [choice if choice in self._pool else provided.get(choice, "") for choice in choices]
            found += [choice for choice in there if choice][:1]
        return found

    def _own_paths(self, name: str) -> Iterable[str]:
        entries = self._pool[name].contents.entries
        return (path for path, entry in entries.items() if entry.kind in ("file", "link"))

    def _take_paths(self, paths: Iterable[str]) -> None:
        """Take paths, and what they lead to where they are links."""
        for path in sorted(paths):
            if self._owner.get(path) is None:
                continue
            self._paths.setdefault(path)
            for step in self._tree.trail(path):
                if step in self._owner:
                    self._paths.setdefault(step)

    def _take_opened(self, name: str, *, asked: bool) -> None:
        for row in opened_with(name, asked=asked):
            for package, patterns in row.takes.items():
                for other in sorted(self._pool):
                    if fnmatchcase(other, package):
                        self._take_paths(
                            path
                            for path in self._own_paths(other)
                            if any(fnmatchcase(path, pattern) for pattern in patterns)
                        )

    def _load(self, sonames: Iterable[str]) -> None:
        """Take what the ELF files that were taken so far load."""
        roots = [path for path in self._paths if path in self._elves]
        found = find_closure(sonames, self._tree, self._elves, self._below.tree, self._machine, roots)
        self._closure.libraries |= found.libraries
        self._closure.nowhere |= found.nowhere
        for path in sorted(found.files):
            if path in self._owner:
                self._paths.setdefault(path)
        for path, target in found.links.items():
            if path in self._owner:
                self._paths.setdefault(path)
            elif self._below.tree.get(path) is None:
                self._made[path] = target

    def _touched(self) -> Iterable[str]:
        return (self._owner[path] for path in self._paths)

    def _is_there(self, path: str) -> bool:
        return path in self._paths or self._below.tree.get(path) is not None

    def _result(self) -> Slice:
        taken = Slice(libraries=self._closure.libraries, nowhere=self._closure.nowhere)
        for path in self._paths:
            name = self._owner[path]
            entry = self._pool[name].contents.entries[path]
            same = self._below.tree.get(path)
            if path.startswith(_DOCUMENTATION) or (same is not None and entry.same_as(same)):
                continue
            if entry.kind == "link":
                taken.links[path], taken.owners[path] = entry.target, name
            else:
                taken.files[path] = name
        taken.links |= self._made
        return taken
