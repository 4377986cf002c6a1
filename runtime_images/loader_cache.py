"""The dynamic loader's cache, `/etc/ld.so.cache`, written from what is known of an image (ldconfig(8))."""

from __future__ import annotations

import functools
import posixpath
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.library_search import loader_folders

PATH = "etc/ld.so.cache"

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = "<20sIIB3xI12x"
_ENTRY = "<iIIIQ"
_LITTLE_ENDIAN = 2
# ELF for glibc, and the machine, as sysdeps/*/dl-cache.h of glibc number them.
_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03}
_NAME = re.compile(r"(lib.*|ld-.*)\.so.*", re.DOTALL)


def make_cache(tree: FileTree, elves: Mapping[str, ElfNeeds], machine: str) -> bytes:
    """The cache of an image, in the format `glibc-ld.so.cache1.1`, which glibc reads since 2.2.

    :param tree: the image's files.
    :param elves: needs of its ELF files, by real path.
    :param machine: `x86_64` or `aarch64`.
    """
    return write_cache(find_libraries(tree, elves, machine), machine)


def find_libraries(tree: FileTree, elves: Mapping[str, ElfNeeds], machine: str) -> list[tuple[str, str]]:
    """What ldconfig would write down: soname and path, the folders' order kept; a folder is looked at once.

    :param elves: needs of ELF files, by real path.
    """
    found: dict[tuple[str, str], None] = {}
    seen: set[str] = set()
    names: dict[str, list[str]] = {}
    for path, entry in tree.items():
        folder, _, name = path.rpartition("/")
        if entry.kind in ("file", "link") and _NAME.fullmatch(name):
            names.setdefault(folder, []).append(name)
    for folder in loader_folders(tree, machine):
        # Not every layer has its folders as members of their own.
        real = tree.resolve(folder) or (folder if folder in names else None)
        if real is None or real in seen:
            continue
        seen.add(real)
        for name in sorted(names.get(real, ())):
            key = _key_of(f"{real}/{name}", tree, elves, machine)
            if key and tree.resolve(f"{real}/{key}") is not None:
                found[key, f"/{real}/{key}"] = None
    return list(found)


def _key_of(path: str, tree: FileTree, elves: Mapping[str, ElfNeeds], machine: str) -> str:
    """The name that ldconfig writes a file or link down by; empty where it passes it over."""
    real = tree.resolve(path)
    needs = elves.get(real) if real is not None else None
    if real is None or needs is None or needs.machine != machine:
        return ""
    name = posixpath.basename(path)
    soname = needs.soname or name
    entry = tree.get(path)
    is_link = entry is not None and entry.kind == "link"
    # A link for linkers, such as libx.so beside libx.so.1, is written down by its own name.
    return name if is_link and name.endswith(".so") and soname.startswith(name) else soname


def write_cache(libraries: Iterable[tuple[str, str]], machine: str) -> bytes:
    """The file's bytes.

    :param libraries: soname and path; of equal sonames the first one is found.
    """
    order = functools.cmp_to_key(compare_names)
    entries = sorted(libraries, key=lambda entry: order(entry[0]), reverse=True)
    strings = dict.fromkeys(chain.from_iterable(entries))
    start = struct.calcsize(_HEADER) + len(entries) * struct.calcsize(_ENTRY)
    table, places = b"", {}
    for text in strings:
        places[text] = start + len(table)
        table += text.encode() + b"\0"
    head = struct.pack(_HEADER, _MAGIC, len(entries), len(table), _LITTLE_ENDIAN, 0)
    rows = (struct.pack(_ENTRY, _FLAGS[machine], places[name], places[path], 0, 0) for name, path in entries)
    return head + b"".join(rows) + table


def read_cache(body: bytes) -> list[tuple[str, str]]:
    """Soname and path of every entry of a cache of this format; none where it is of another one."""
    size = struct.calcsize(_HEADER)
    if not body.startswith(_MAGIC) or len(body) < size:
        return []
    count = struct.unpack_from(_HEADER, body)[1]
    rows = (struct.unpack_from(_ENTRY, body, size + at * struct.calcsize(_ENTRY)) for at in range(count))
    return [(_text(body, key), _text(body, value)) for _, key, value, _, _ in rows]


def _text(body: bytes, place: int) -> str:
    return body[place : body.index(b"\0", place)].decode("utf-8", "replace")


def compare_names(one: str, other: str) -> int:
    """Order of sonames as the loader's search has it: digits count as numbers, and go after letters."""
    left, right = _pieces(one), _pieces(other)
    for a, b in zip(left, right, strict=False):
        if a != b:
            if isinstance(a, int) and isinstance(b, int):
                return a - b
            if isinstance(a, int):
                return 1
            if isinstance(b, int):
                return -1
            return ord(a) - ord(b)
    return len(left) - len(right)


def _pieces(name: str) -> Sequence[int | str]:
    return [int(piece) if piece.isdigit() else piece for piece in re.findall(r"\d+|\D", name)]
