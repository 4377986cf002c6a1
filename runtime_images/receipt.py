"""Makes the receipt of an image out of what its layers hold and say: a pure function of the image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runtime_images.build_tools import MARKS, TOOLS, find_setuid, find_tools
from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import Entry, LayerContents
from runtime_images.layer_facts import LayerFacts, Program
from runtime_images.library_reach import ElfGraph, make_graph
from runtime_images.receipt_parts import ImageParts, find_parts
from runtime_images.repeated_payloads import find_equal_files, find_equal_projects
from runtime_images.stored_facts import keep_facts, load_facts
from runtime_images.stored_layers import contents_of, unpacked_layer
from wheelyard.digests import canonical_json
from wheelyard.image_receipt import (
    ElfFile,
    Executable,
    Reach,
    Receipt,
    ToolProof,
    files_document,
    load_receipt,
    receipt_document,
)
from wheelyard.image_record import ImageRecord
from wheelyard.listed_files import ListedFile, ListedFiles
from wheelyard.lone_files import find_only_for
from wheelyard.oci import Layer
from wheelyard.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLayer:
    """One layer, and all that is known of what it holds."""

    layer: Layer
    contents: LayerContents
    facts: LayerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeReceipt:
    """A receipt, and the list of files that it was made of."""

    receipt: Receipt
    files: ListedFiles


def keep_receipt(store: Store, record: ImageRecord, machine: str, scratch: Path) -> Receipt:
    """The receipt of an image whose layers are in the store: the one that is kept, or a new one.

    Safe to repeat, and at the same time. It is kept by the manifest's digest beside the list of the image's
    files, and made again where that list is lost.

    :param machine: `x86_64` or `aarch64`.
    :param scratch: folder for the tars of layers that were never read before.
    :raises StoreUnavailable: a layer is not in the store.
    :raises StoredOtherBytes: a kept receipt says something else than the layers do.
    """
    digest = record.manifest_digest
    kept = load_receipt(store, digest)
    if kept is not None and store.get_document(files_document(digest)) is not None:
        return kept
    scratch.mkdir(parents=True, exist_ok=True)
    layers = [
        ReadLayer(
            layer=layer,
            contents=contents_of(store, layer, scratch),
            facts=_facts_of(store, layer, scratch),
        )
        for layer in record.layers
    ]
    made = make_receipt(record, layers, machine)
    store.put_document(files_document(digest), canonical_json(made.files.to_document()))
    store.put_document(receipt_document(digest), canonical_json(made.receipt.to_document()))
    return made.receipt


def _facts_of(store: Store, layer: Layer, scratch: Path) -> LayerFacts:
    """The facts of a layer; one that was not made here was not read yet."""
    kept = load_facts(store, layer.diff_id)
    if kept is not None:
        return kept
    with unpacked_layer(store, layer, scratch) as tar:
        return keep_facts(store, layer.diff_id, tar)


def make_receipt(record: ImageRecord, layers: Sequence[ReadLayer], machine: str) -> MadeReceipt:
    """Say what is in an image.

    :param layers: bottom first.
    :param machine: `x86_64` or `aarch64`.
    """
    whole = _Whole(record, layers, machine)
    files = whole.files
    return MadeReceipt(files=ListedFiles(files=tuple(files)), receipt=whole.receipt())


class _Whole:
    """The image as its layers add up."""

    def __init__(self, record: ImageRecord, layers: Sequence[ReadLayer], machine: str) -> None:
        self._record = record
        self._layers = layers
        self._machine = machine
        self.tree = FileTree()
        for one in layers:
            self.tree.lay(one.contents)

    @cached_property
    def entries(self) -> list[tuple[str, Entry]]:
        return sorted(self.tree.items())

    @cached_property
    def elves(self) -> dict[str, ElfNeeds]:
        found: dict[str, ElfNeeds] = {}
        for one in self._layers:
            found |= one.contents.elves
        return {path: needs for path, needs in sorted(found.items()) if self._is_file(path)}

    @cached_property
    def parts(self) -> ImageParts:
        return find_parts(
            self._record, [(one.layer, one.contents, one.facts) for one in self._layers], self.tree
        )

    @cached_property
    def files(self) -> list[ListedFile]:
        return [
            ListedFile(
                path=f"/{path}",
                owner=self.parts.owner(path),
                mode=entry.mode,
                size=entry.size,
                digest=entry.digest if entry.kind == "file" else f"-> {entry.target}",
            )
            for path, entry in self.entries
            if entry.kind in ("file", "link")
        ]

    @cached_property
    def programs(self) -> dict[str, Program]:
        found: dict[str, Program] = {}
        for one in self._layers:
            found |= one.facts.programs
        return {path: program for path, program in sorted(found.items()) if self._is_file(path)}

    @cached_property
    def graph(self) -> ElfGraph:
        facts = [one.facts for one in self._layers]
        return make_graph(
            self.tree,
            self.elves,
            machine=self._machine,
            programs=[path for path in self.programs if self._mode(path) & 0o111],
            modules=[path for each in facts for path in each.modules if self._is_file(path)],
            mentions={path: names for each in facts for path, names in each.mentions.items()},
        )

    @cached_property
    def reach(self) -> dict[str, tuple[Reach, str]]:
        return self.graph.reach()

    def receipt(self) -> Receipt:
        record, files = self._record, self.files
        scripts = self._scripts()
        sonames = {f"/{path}": elf.soname for path, elf in self.elves.items()}
        elves = tuple(self._elf_files())
        return Receipt(
            digest=str(record.manifest_digest),
            image_id=str(record.image_id),
            toolchain=record.toolchain,
            release=next((one.facts.release for one in self._layers if one.facts.release), ""),
            user=record.user,
            size=record.size,
            unpacked=record.unpacked,
            files=sum(1 for _path, entry in self.entries if entry.kind == "file"),
            file_bytes=sum(entry.size for _path, entry in self.entries if entry.kind == "file"),
            layers=tuple(
                {
                    "title": one.layer.title,
                    "digest": str(one.layer.digest),
                    "size": one.layer.size,
                    "unpacked": one.layer.unpacked,
                    "files": sum(1 for entry in one.contents.entries.values() if entry.kind == "file"),
                }
                for one in self._layers
            ),
            parts=self.parts.parts,
            executables=tuple(self._executables(scripts)),
            elves=elves,
            tools=tuple(self._proofs()),
            setuid=find_setuid(self.entries),
            capabilities=tuple(
                sorted(
                    f"/{path}"
                    for one in self._layers
                    for path in one.facts.capabilities
                    if self._is_file(path)
                )
            ),
            repeated=(*find_equal_projects(files, sonames), *find_equal_files(files)),
            only_for=find_only_for(elves, self.parts.kinds()),
            looked_at={
                "paths": len(self.entries),
                "programs": len(self.programs),
                "scripts": len(scripts),
                "elf_files": len(self.elves),
            },
        )

    def _is_file(self, path: str) -> bool:
        entry = self.tree.get(path)
        return entry is not None and entry.kind == "file"

    def _mode(self, path: str) -> int:
        entry = self.tree.get(path)
        return entry.mode if entry is not None else 0

    def _size(self, path: str) -> int:
        entry = self.tree.get(path)
        return entry.size if entry is not None else 0

    def _scripts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in self._layers:
            found |= one.facts.scripts
        return {path: line for path, line in sorted(found.items()) if self._is_file(path)}

    def _executables(self, scripts: dict[str, str]) -> Iterable[Executable]:
        for path, program in self.programs.items():
            yield self._executable(path, "program", program.interpreter, program.interpreter)
        for path, line in scripts.items():
            # Of `env python3` it is env that the kernel starts.
            started = (line.split() or [""])[0]
            yield self._executable(path, "script", line, started)

    def _executable(self, path: str, kind: str, interpreter: str, needed: str) -> Executable:
        there = not needed or self.tree.resolve(needed) is not None
        return Executable(
            path=f"/{path}",
            owner=self.parts.owner(path),
            size=self._size(path),
            kind=kind,
            interpreter=interpreter,
            can_start=there and bool(self._mode(path) & 0o111),
        )

    def _elf_files(self) -> Iterable[ElfFile]:
        for path, elf in self.elves.items():
            how, by = self.reach[path]
            needs = self.graph.needs.get(path) or tuple((soname, "") for soname in elf.needed)
            yield ElfFile(
                path=f"/{path}",
                owner=self.parts.owner(path),
                size=self._size(path),
                soname=elf.soname,
                needs=tuple((soname, f"/{target}" if target else "") for soname, target in needs),
                reach=how,
                by=f"/{by}" if by else "",
            )

    def _proofs(self) -> Iterable[ToolProof]:
        by_name = find_tools(self.entries)
        marked: dict[str, list[str]] = defaultdict(list)
        for path, program in self.programs.items():
            for tool in program.marks:
                marked[tool].append(f"/{path}")
        for tool, pattern in TOOLS.items():
            yield ToolProof(
                tool=tool,
                names=pattern.pattern,
                by_content=tool in MARKS,
                found=tuple(sorted({*by_name.get(tool, ()), *marked[tool]})),
            )
