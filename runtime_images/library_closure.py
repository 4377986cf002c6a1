"""Which files of a compile image meet a set of sonames, with all that those files need themselves."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.library_search import (
    default_folders,
    find_by_cache,
    find_by_run_path,
    find_in_default_folders,
)


@dataclass(slots=True, kw_only=True)
class Closure:
    """What has to be copied, and what nobody has.

    :param files: paths of regular files.
    :param links: path to target of the symbolic links that lead to them.
    :param libraries: soname to the path that the loader finds it by.
    :param nowhere: soname that nothing provides, to the path of the library that needs it; empty for a wheel.
    """

    files: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    nowhere: dict[str, str] = field(default_factory=dict)


def find_closure(
    sonames: Iterable[str],
    tree: FileTree,
    elves: Mapping[str, ElfNeeds],
    base: FileTree,
    machine: str,
    roots: Iterable[str] = (),
) -> Closure:
    """Find libraries and the closure of their own needs that the base does not meet.

    A library keeps its own path. Where the loader would find it only through its cache, as those that
    Debian's alternatives lead to, a link in a default folder leads to it.

    :param tree: shared libraries and links of the compile image, or of packages over the base.
    :param elves: its libraries' needs, by real path.
    :param base: the runtime base.
    :param roots: files that are taken already, and whose needs count as well.
    """
    closure = Closure()
    ahead = [(soname, "") for soname in sorted(set(sonames), reverse=True)]
    for root in sorted(roots):
        ahead += _take_needs(root, tree, elves, base, closure)
    while ahead:
        soname, needed_by = ahead.pop()
        if soname in closure.libraries or soname in closure.nowhere:
            continue
        real = _take_soname(soname, tree, elves, machine, closure)
        if real is None:
            closure.nowhere[soname] = needed_by
        else:
            ahead += _take_needs(real, tree, elves, base, closure)
    return closure


def _take_soname(
    soname: str, tree: FileTree, elves: Mapping[str, ElfNeeds], machine: str, closure: Closure
) -> str | None:
    path = find_in_default_folders(tree, soname, machine)
    if path is not None:
        real = _take_trail(path, tree, closure)
        closure.libraries[soname] = real
        return real
    elsewhere = sorted(
        path
        for path, needs in elves.items()
        if needs.machine == machine and soname in (needs.soname, posixpath.basename(path))
    )
    if not elsewhere:
        return None
    real = _take_trail(elsewhere[0], tree, closure)
    link = f"{default_folders(machine)[1]}/{soname}"
    closure.links[link] = f"/{real}"
    closure.libraries[soname] = real
    return real


def _take_trail(path: str, tree: FileTree, closure: Closure) -> str:
    *links, real = tree.trail(path)
    for link in links:
        entry = tree.get(link)
        # Links of folders (/lib to /usr/lib) are the base's own matter.
        if entry is not None and ".so" in posixpath.basename(link):
            closure.links[link] = entry.target
    closure.files.add(real)
    return real


def _take_needs(
    first: str, tree: FileTree, elves: Mapping[str, ElfNeeds], base: FileTree, closure: Closure
) -> list[tuple[str, str]]:
    """Take what a file reaches by run paths at once; return the sonames that are left, and who needs them."""
    open_needs: list[tuple[str, str]] = []
    ahead, seen = [first], set[str]()
    while ahead:
        path = ahead.pop()
        needs = elves.get(path)
        if needs is None or path in seen:
            continue
        seen.add(path)
        for soname in needs.needed:
            reached = find_by_run_path(tree, path, needs, soname)
            if reached is not None:
                if base.resolve(reached) is None:
                    ahead.append(_take_trail(reached, tree, closure))
            elif find_by_cache(base, soname, needs.machine) is None:
                open_needs.append((soname, path))
    return sorted(open_needs, reverse=True)
