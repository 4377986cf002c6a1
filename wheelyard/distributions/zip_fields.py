"""The records of a zip archive as fields: local header, directory entry, extra fields, data descriptor."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from wheelyard.distributions.refusal import Refusal

CENTRAL = struct.Struct("<4s6H3I5H2I")
LOCAL = struct.Struct("<4s5H3I2H")
DESCRIBED, UTF_8 = 0x0008, 0x0800
"""Flags: sizes and CRC stand behind the member; its name is UTF-8."""
_ZIP64, _UNICODE_NAME = 0x0001, 0x7075
_MANY = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What one header says of a member. Sizes in bytes.

    :param needed: version of the format that a reader must know, times ten.
    :param offset: of its local header; 0 in that header itself.
    :param mode: POSIX file mode; 0 where it says none.
    """

    name: bytes
    flags: int
    method: int
    needed: int
    crc: int
    packed: int
    size: int
    offset: int = 0
    mode: int = 0


def central_claims(body: bytes, at: int, refuse: Refusal) -> tuple[Claims, int]:
    """The directory's entry at an offset, and the offset of the next one."""
    if len(body) - at < CENTRAL.size or body[at : at + 4] != b"PK\1\2":
        raise refuse("its central directory can't be read", "an entry", f"byte {at} of it")
    fields = CENTRAL.unpack_from(body, at)
    _, _, needed, flags, method, _, _, crc, packed, size, name, extra, comment, disk = fields[:14]
    outer, offset = fields[15:]
    start = at + CENTRAL.size
    end = start + name + extra + comment
    if end > len(body) or disk:
        raise refuse("its central directory can't be read", "whole entries of one volume", f"byte {at} of it")
    packed_fields = body[start + name : start + name + extra]
    size, packed, offset = _widened((size, packed, offset), packed_fields, refuse)
    claims = Claims(
        name=body[start : start + name], flags=flags, method=method, needed=needed, crc=crc,
        packed=packed, size=size,
        offset=offset, mode=outer >> 16,
    )  # fmt: skip
    return claims, end


def local_claims(header: bytes, refuse: Refusal) -> Claims:
    """The local header in these bytes, which end with its extra fields."""
    _, needed, flags, method, _, _, crc, packed, size, name, _extra = LOCAL.unpack_from(header)
    size, packed = _widened((size, packed), header[LOCAL.size + name :], refuse)
    return Claims(
        name=header[LOCAL.size : LOCAL.size + name], flags=flags, method=method, needed=needed, crc=crc,
        packed=packed, size=size,
    )  # fmt: skip


def descriptor_claims(found: bytes) -> tuple[int, int, int] | None:
    """CRC, packed size and size behind a member, or None where that is no data descriptor.

    :param found: all the bytes between the member and the next one.
    """
    body = found[4:] if len(found) in (16, 24) and found[:4] == b"PK\7\x08" else found
    if len(body) not in (12, 20):
        return None
    crc, packed, size = struct.unpack("<III" if len(body) == 12 else "<IQQ", body)
    return crc, packed, size


def _widened(values: Iterable[int], extra: bytes, refuse: Refusal) -> list[int]:
    """Sizes and offsets, with those that do not fit in four bytes from the ZIP64 field."""
    fields = _extra_fields(extra, refuse)
    wide, at, result = fields.get(_ZIP64, b""), 0, []
    for value in values:
        if value != _MANY:
            result.append(value)
            continue
        if len(wide) < at + 8:
            raise refuse("a header says ZIP64 without its sizes", "a ZIP64 field")
        result.append(int.from_bytes(wide[at : at + 8], "little"))
        at += 8
    return result


def _extra_fields(extra: bytes, refuse: Refusal) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(extra):
        if len(extra) - at < 4:
            raise refuse("a header's extra fields can't be read", "whole fields")
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra) or kind in fields:
            raise refuse("a header's extra fields can't be read", "whole fields, each once")
        if kind == _UNICODE_NAME:
            raise refuse("a member has two names", "one name, in UTF-8", "a Unicode path field")
        fields[kind] = extra[at + 4 : at + 4 + length]
        at += 4 + length
    return fields
