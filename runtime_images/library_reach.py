"""How each ELF file of an image comes to run: started, imported, needed by another, or led to by nothing."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.library_search import find_by_cache, find_by_run_path
from wheelyard.image_receipt import Reach

_PLUGINS = re.compile(
    r"""
    .*/(gconv|dri|vdpau|gbm|ossl-modules|engines-[\d.]+|sasl2|security|alsa-lib|ladspa|frei0r-1|gio/modules)/[^/]+
    | .*/(plugins?|modules|loaders|backends)/.*\.so[\d.]*
    | .*/libnss_[a-z]+[.-].*
    """,
    re.VERBOSE,
)
"""Where programs look for what they open by its name: glibc, Mesa, OpenSSL, SASL, PAM, ALSA, GIO, Qt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfGraph:
    """The ELF files of an image and what leads from one to another. Paths are real ones.

    :param needs: path to each DT_NEEDED and the path that the loader takes for it; empty where none is there.
    :param mentioned_by: path to the files that have its name among their bytes.
    :param starts: path to how it comes to run by itself: started or imported.
    :param foreign: ELF files for another machine or C library.
    """

    needs: Mapping[str, tuple[tuple[str, str], ...]]
    mentioned_by: Mapping[str, tuple[str, ...]]
    starts: Mapping[str, Reach]
    foreign: frozenset[str]

    def reach(self) -> dict[str, tuple[Reach, str]]:
        """How each ELF file comes to run, and by which file."""
        found: dict[str, tuple[Reach, str]] = dict.fromkeys(sorted(self.foreign), (Reach.FOREIGN, ""))
        found |= {path: (how, "") for path, how in sorted(self.starts.items())}
        self._follow(sorted(self.starts), Reach.NEEDED, found)
        # What is opened by name needs others, which then are there for its sake.
        while mentioned := self._mentioned(found):
            found |= {path: (Reach.MENTIONED, by) for path, by in mentioned.items()}
            self._follow(sorted(mentioned), Reach.MENTIONED, found)
        plugins = [path for path in self._rest(found) if _PLUGINS.fullmatch(path)]
        found |= dict.fromkeys(plugins, (Reach.PLUGIN, ""))
        self._follow(plugins, Reach.PLUGIN, found)
        return found | dict.fromkeys(self._rest(found), (Reach.NOTHING, ""))

    def _rest(self, found: Collection[str]) -> list[str]:
        return [path for path in sorted(self.needs) if path not in found]

    def _mentioned(self, found: Mapping[str, tuple[Reach, str]]) -> dict[str, str]:
        """Files whose name stands in one that runs; a file that nothing leads to tells nothing."""
        return {
            path: by[0]
            for path in self._rest(found)
            if (
                by := [
                    each
                    for each in self.mentioned_by.get(path, ())
                    if each in found or each not in self.needs
                ]
            )
        }

    def _follow(self, starts: Iterable[str], how: Reach, found: dict[str, tuple[Reach, str]]) -> None:
        ahead = list(starts)
        while ahead:
            path = ahead.pop(0)
            for _soname, target in self.needs.get(path, ()):
                if target and target not in found:
                    found[target] = (how, path)
                    ahead.append(target)


def make_graph(
    tree: FileTree,
    elves: Mapping[str, ElfNeeds],
    *,
    machine: str,
    programs: Collection[str],
    modules: Collection[str],
    mentions: Mapping[str, tuple[str, ...]],
) -> ElfGraph:
    """Follow every DT_NEEDED as the loader does: run path, its cache, default folders, loaded before.

    :param tree: the whole image.
    :param elves: needs by real path.
    :param machine: `x86_64` or `aarch64`.
    :param programs: that can be started.
    :param modules: that Python can import.
    :param mentions: path to names of libraries among its bytes.
    """
    foreign = frozenset(path for path, elf in elves.items() if elf.machine != machine or elf.for_other_libc)
    by_name: dict[str, list[str]] = defaultdict(list)
    for path, elf in sorted(elves.items()):
        if path not in foreign:
            for name in {posixpath.basename(path), elf.soname} - {""}:
                by_name[name].append(path)
    needs = {
        path: tuple((soname, _taken(tree, path, elf, soname, by_name)) for soname in elf.needed)
        for path, elf in elves.items()
        if path not in foreign
    }
    starts = {path: Reach.IMPORTED for path in modules if path in needs}
    starts |= {path: Reach.STARTED for path in programs if path in needs}
    return ElfGraph(
        needs=needs, mentioned_by=_mentioned_by(mentions, by_name), starts=starts, foreign=foreign
    )


def _taken(
    tree: FileTree,
    path: str,
    elf: ElfNeeds,
    soname: str,
    by_name: Mapping[str, list[str]],
) -> str:
    found = tree.resolve(
        find_by_run_path(tree, path, elf, soname) or find_by_cache(tree, soname, elf.machine) or ""
    )
    if found:
        return found
    # A package that brings a library outside of every run path loads it itself before what needs it.
    named = by_name.get(soname, [])
    own = [each for each in named if tree.owner(each) == tree.owner(path)]
    return (own or named or [""])[0]


def _mentioned_by(
    mentions: Mapping[str, tuple[str, ...]], by_name: Mapping[str, list[str]]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    targets = _Targets(by_name)
    for path, names in mentions.items():
        for target in {target for name in names for target in targets.of(name)} - {path}:
            found[target].add(path)
    return {target: tuple(sorted(paths)) for target, paths in found.items()}


class _Targets:
    """Which libraries a name among some bytes may stand for."""

    def __init__(self, by_name: Mapping[str, list[str]]) -> None:
        self._by_name = by_name
        self._versions: dict[str, list[str]] = defaultdict(list)
        for name, paths in by_name.items():
            stem, dot, _version = name.partition(".so.")
            if dot:
                self._versions[f"{stem}.so"] += paths

    def of(self, name: str) -> list[str]:
        if name in self._by_name:
            return self._by_name[name]
        if "%" in name or "{" in name:
            # `libGLX_%s.so.0`: what is filled in is known at run time only.
            pattern = re.sub(r"%[a-z]+|\{[^}]*\}", "*", name)
            if len(pattern.replace("*", "")) <= len("lib.so"):
                return []
            fitting = (paths for other, paths in self._by_name.items() if fnmatch.fnmatchcase(other, pattern))
            return [path for paths in fitting for path in paths]
        # `find_library("GL")` takes any version.
        return self._versions.get(name, [])
