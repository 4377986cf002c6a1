"""The sections of an ELF file by name, for those who compare two of them (gABI, chapter 4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = b"\x7fELF"
_WIDE = 2
_ORDERS = {1: "<", 2: ">"}
_WITHOUT_BYTES = 8
_MOST = 10_000


def elf_sections(body: bytes) -> dict[str, memoryview]:
    """Each section's bytes, by its name; a second one of the same name has `#2` behind it.

    Safe for foreign bytes: it takes time in proportion to the number of sections, and copies none of them.

    :returns: empty where it is no 64-bit ELF file, or one whose headers point outside of it.
    """
    try:
        return dict(_read(memoryview(body)))
    except (struct.error, ValueError, IndexError, KeyError):
        return {}


def _read(body: memoryview) -> Iterator[tuple[str, memoryview]]:
    if bytes(body[:4]) != MAGIC or body[4] != _WIDE:
        return
    order = _ORDERS[body[5]]
    (start,) = struct.unpack_from(order + "Q", body, 0x28)
    each, number, names_at = struct.unpack_from(order + "HHH", body, 0x3A)
    if number > _MOST:
        return
    headers = [struct.unpack_from(order + "IIQQQQ", body, start + at * each) for at in range(number)]
    names = _slice(body, *headers[names_at][4:6]) if headers else body[:0]
    seen: dict[str, int] = {}
    for name_at, kind, _flags, _address, offset, size in headers:
        if kind in (0, _WITHOUT_BYTES):
            continue
        name = bytes(names[name_at : name_at + 100]).partition(b"\0")[0].decode("ascii", "replace")
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}", _slice(body, offset, size)


def _slice(body: memoryview, offset: int, size: int) -> memoryview:
    if offset + size > len(body):
        raise ValueError("a section lies outside of its file")
    return body[offset : offset + size]
