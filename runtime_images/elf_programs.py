"""Which ELF files can be started, which are Python modules, which libraries files name (gABI, chapter 5)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

from runtime_images.build_tools import find_marks
from runtime_images.layer_facts import Program

_PT_DYNAMIC, _PT_INTERP = 2, 3
_DT_FLAGS_1, _DF_1_PIE = 0x6FFFFFFB, 0x08000000
_ET_EXEC = 2
_WIDE = 2
_LONGEST_NAME = 120
_MOST_MENTIONS = 200
_NAME = re.compile(rb"[A-Za-z0-9_+.%{}-]+\.so(?:\.[0-9]+)*")
_NAME_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-%{}")
_LOOKED_FOR = re.compile(rb"""find_library\(\s*["']([A-Za-z0-9_+.-]{1,100})["']""")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a mapped file.

    :param start: of its first byte.
    :param end: behind its last one.
    """

    whole: mmap
    start: int
    end: int

    def find(self, sub: bytes, /) -> int:
        """Where bytes begin in the whole file, or -1."""
        return self.whole.find(sub, self.start, self.end)

    def bytes(self, limit: int | None = None) -> bytes:
        """Its first bytes, or all."""
        end = self.end if limit is None else min(self.end, self.start + limit)
        return self.whole[self.start : end]


def read_program(file: Region) -> Program | None:
    """What there is to know of a program; None where the ELF file can only be loaded by another one.

    :param file: a whole ELF file, perhaps a broken one.
    """
    try:
        interpreter = _interpreter(file)
    except (struct.error, LookupError, ValueError):
        return None
    return None if interpreter is None else Program(interpreter=interpreter, marks=find_marks(file))


def _interpreter(file: Region) -> str | None:
    head = file.bytes(64)
    order = {1: "<", 2: ">"}[head[5]]
    (kind,) = struct.unpack_from(order + "H", head, 16)
    if head[4] != _WIDE:
        return "" if kind == _ET_EXEC else None
    (table,) = struct.unpack_from(order + "Q", head, 32)
    each, number = struct.unpack_from(order + "HH", head, 54)
    pie = False
    for at in range(min(number, 200)):
        place = file.start + table + at * each
        segment, _flags, offset, _v, _p, size = struct.unpack(
            order + "IIQQQQ", file.whole[place : min(place + 40, file.end)]
        )
        start = file.start + offset
        if segment == _PT_INTERP:
            return file.whole[start : min(start + size, start + 400, file.end)].rstrip(b"\0").decode("utf-8")
        if segment == _PT_DYNAMIC:
            pie = _is_pie(file.whole[start : min(start + size, file.end)], order)
    # Statically linked ones ask for no loader; those that may lie anywhere say so in a flag.
    return "" if kind == _ET_EXEC or pie else None


def _is_pie(dynamic: bytes, order: str) -> bool:
    whole = len(dynamic) - len(dynamic) % 16
    for tag, value in struct.iter_unpack(order + "qQ", dynamic[:whole]):
        if tag == _DT_FLAGS_1:
            return bool(value & _DF_1_PIE)
    return False


def is_module(file: Region, path: str) -> bool:
    """Whether an ELF file is a Python module: it has the init function of its own name, or of its package."""
    folder, _, name = path.rpartition("/")
    if ".so" not in name:
        return False
    stems = {name.partition(".")[0], folder.rpartition("/")[2]}
    return any(file.find(b"PyInit_" + stem.encode() + b"\0") >= 0 for stem in stems if stem)


def mentioned_libraries(file: Region, *, source: bool) -> tuple[str, ...]:
    """Names of shared libraries among a file's bytes, sorted; `%s` and `{}` in them stand for anything.

    :param source: whether it is Python, where `find_library("GL")` names libGL, too.
    """
    found = set()
    for name in _names(file):
        found.add(name)
        if len(found) >= _MOST_MENTIONS:
            break
    if source and file.find(b"find_library(") >= 0:
        found |= {f"lib{name.decode()}.so" for name in _LOOKED_FOR.findall(file.bytes())}
    return tuple(sorted(found))


def _names(file: Region) -> Iterator[str]:
    at = file.start
    while (at := file.whole.find(b".so", at, file.end)) >= 0:
        start = at
        while start > max(file.start, at - _LONGEST_NAME) and file.whole[start - 1] in _NAME_LETTERS:
            start -= 1
        match = _NAME.match(file.whole[start : min(at + 40, file.end)])
        if match is not None and at - start > 2:
            yield match[0].decode()
        at += 3
