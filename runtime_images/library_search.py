"""Where the dynamic loader finds each library that an image's wheels need, and which ones it would not."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from runtime_images.elf_needs import ElfNeeds, expand_run_path
from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import LOADER_CONF, LayerContents
from runtime_images.loader_conf import configured_folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One layer whose needs are looked at.

    :param owner: title of the wheel, for people.
    :param contents: what it holds.
    :param by_loader: whether others reach its libraries through the loader alone: Debian packages, natives.
    """

    owner: str
    contents: LayerContents
    by_loader: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Need:
    """One NEEDED entry of one file, and what meets it.

    :param owner: title of the wheel that holds the file.
    :param path: of the file in the image, without a slash at its start.
    :param soname: the library that it names.
    :param met_by: owner of the file that the loader takes: a layer's title; empty where there is none.
    """

    owner: str
    path: str
    soname: str
    met_by: str


def default_folders(machine: str) -> tuple[str, ...]:
    """Folders that Debian's loader searches without a cache or a variable (ld.so(8)).

    :param machine: `x86_64` or `aarch64`.
    """
    triplet = f"{machine}-linux-gnu"
    return (f"lib/{triplet}", f"usr/lib/{triplet}", "lib", "usr/lib")


def loader_folders(tree: FileTree, machine: str) -> tuple[str, ...]:
    """Folders whose libraries the loader finds by its cache, in the order of ldconfig(8).

    :param tree: the image; one without `/etc/ld.so.conf` is taken to have Debian's.
    :param machine: `x86_64` or `aarch64`.
    """
    conf = tree.loader_conf
    own = ("usr/local/lib", f"usr/local/lib/{machine}-linux-gnu")
    configured = tuple(configured_folders(conf)) if LOADER_CONF in conf else own
    return tuple(dict.fromkeys((*configured, *default_folders(machine))))


def find_in_default_folders(tree: FileTree, soname: str, machine: str) -> str | None:
    """Path by which the loader finds a library with no run path and no cache, or `None`.

    There it goes by the file's name; the SONAME inside is not looked at.
    """
    return _find_in(default_folders(machine), tree, soname)


def find_by_cache(tree: FileTree, soname: str, machine: str) -> str | None:
    """Path by which the loader finds a library with no run path, or `None`.

    :param tree: what lies below the wheels, of which the cache is made.
    """
    return _find_in(loader_folders(tree, machine), tree, soname)


def _find_in(folders: Sequence[str], tree: FileTree, soname: str) -> str | None:
    for folder in folders:
        path = f"{folder}/{soname}"
        real = tree.resolve(path)
        entry = tree.get(real) if real is not None else None
        if entry is not None and entry.kind == "file":
            return path
    return None


def find_by_run_path(tree: FileTree, path: str, needs: ElfNeeds, soname: str) -> str | None:
    """Path by which the loader finds a library in the run path of the file that needs it, or `None`.

    The path is the loader's own: it may hold `..`, and a link may lie at its end.

    :param path: of that file, real.
    :param soname: the library; one with a slash is taken as a path.
    """
    tokens = {"LIB": f"lib/{needs.machine}-linux-gnu"}
    folders = expand_run_path(needs, posixpath.dirname(path), tokens)
    candidates = [soname] if "/" in soname else [f"{folder}/{soname}" for folder in folders]
    for candidate in candidates:
        real = tree.resolve(candidate)
        entry = tree.get(real) if real is not None else None
        if entry is not None and entry.kind == "file":
            return candidate
    return None


def find_needs(tree: FileTree, parts: Sequence[Part], machine: str) -> tuple[Need, ...]:
    """Every NEEDED entry of every part's ELF files for this machine, sorted, with what meets it.

    A library that lies in a wheel without being in any run path counts as met: such packages load it
    themselves before the file that needs it. One in a part that is reached by the loader alone counts so for
    that part only. ELF files for other machines or C libraries (test material, plugins for other systems)
    never run here and are passed over.

    :param tree: base and all parts.
    :param machine: `x86_64` or `aarch64`.
    """
    brought = _brought_sonames(parts, machine)
    needs = []
    for part in parts:
        for path, elf in part.contents.elves.items():
            if elf.machine != machine or elf.for_other_libc:
                continue
            for soname in elf.needed:
                met_by = _met_by(tree, brought, part.owner, path, elf, soname)
                needs.append(Need(owner=part.owner, path=path, soname=soname, met_by=met_by))
    return tuple(sorted(needs))


def _brought_sonames(parts: Sequence[Part], machine: str) -> dict[str, list[Part]]:
    brought: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        for path, elf in part.contents.elves.items():
            if elf.machine == machine:
                for name in {posixpath.basename(path), elf.soname} - {""}:
                    brought[name].append(part)
    return brought


def _met_by(
    tree: FileTree, brought: dict[str, list[Part]], owner: str, path: str, elf: ElfNeeds, soname: str
) -> str:
    found = find_by_run_path(tree, path, elf, soname) or find_by_cache(tree, soname, elf.machine)
    if found is not None:
        return tree.owner(tree.resolve(found) or "")
    owners = [part.owner for part in brought.get(soname, []) if not part.by_loader or part.owner == owner]
    return owner if owner in owners else (owners[0] if owners else "")
