"""A zip archive that every reader reads alike: its headers agree, and no byte is outside of its members."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from wheelyard.distributions.member_names import MemberNames
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.zip_fields import (
    DESCRIBED,
    LOCAL,
    UTF_8,
    Claims,
    central_claims,
    descriptor_claims,
    local_claims,
)

_END = struct.Struct("<4sHHHHIIH")
_END_64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR_64 = struct.Struct("<4sIQI")
_LONGEST_DIRECTORY = 64 << 20
_STORED, _DEFLATED = 0, 8
# Compression level, data descriptor, UTF-8: what is left out are encryption, patches and masked headers.
_FLAGS = 0x0006 | DESCRIBED | UTF_8
_NEWEST_NEEDED = 63
_FOLDER, _FILE = 0o040000, 0o100000


_End = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """One member, as its local header and the central directory agree on it. Sizes in bytes.

    :param start: offset of its packed bytes in the archive.
    :param crc: CRC-32 of its bytes.
    """

    name: str
    folder: bool
    deflated: bool
    start: int
    packed: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Directory:
    offset: int
    size: int
    number: int


def read_zip(stream: BinaryIO, size: int, limits: SizeLimits, refuse: Refusal) -> list[ZipMember]:
    """The members of an archive, after its whole structure was checked (APPNOTE 6.3.10, and stricter).

    Local headers, packed bytes and data descriptors follow each other from the first byte on to the central
    directory, without a gap or an overlap; the directory says of each what its local header says; its end
    is the end of the file. Of two readers, one that reads from the front and one that reads from the back,
    both then find the same.

    :param stream: the archive, seekable.
    :param size: of the archive, in bytes.
    :raises ForeignOutputRefused: it is anything else; the text says what.
    """
    directory = _find_directory(stream, size, refuse)
    limits.check_number(directory.number, refuse)
    entries = _read_directory(stream, directory, refuse)
    names, members, at, unpacked = MemberNames(refuse), [], 0, 0
    in_order = sorted(entries, key=lambda entry: entry.offset)
    ends = [*(entry.offset for entry in in_order[1:]), directory.offset]
    # An empty archive has an end of its members, and no member.
    for entry, end in zip(in_order, ends, strict=False):
        name = _check_member(entry, refuse)
        if entry.offset != at:
            raise refuse(
                "its members overlap" if entry.offset < at else _gap(at),
                f"the header of {name} at byte {at}", f"at byte {entry.offset}",
            )  # fmt: skip
        member = _read_member(stream, entry, name, end, refuse)
        names.add(name, folder=member.folder)
        limits.check_member(name, member.packed, member.size, refuse)
        unpacked += member.size
        members.append(member)
        at = end
    if at != directory.offset:
        raise refuse(_gap(at), f"the central directory at byte {at}", f"at byte {directory.offset}")
    limits.check_whole(size, unpacked, refuse)
    return members


def _gap(at: int) -> str:
    return "there are bytes before its first member" if at == 0 else "there are bytes between its members"


def _exactly(stream: BinaryIO, offset: int, size: int, refuse: Refusal) -> bytes:
    stream.seek(offset)
    found = stream.read(size)
    if len(found) != size:
        raise refuse("it can't be read", f"{size} bytes at byte {offset}", f"{len(found)} bytes")
    return found


def _find_directory(stream: BinaryIO, size: int, refuse: Refusal) -> _Directory:
    tail_size = min(size, _END.size + 0xFFFF)
    tail = _exactly(stream, size - tail_size, tail_size, refuse)
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\5\6":
        if b"PK\5\6" in tail:
            raise refuse("there are bytes after its end", "nothing after the end record, no comment")
        raise refuse("it can't be read", "a whole zip archive", "no end of a central directory")
    _, disk, first_disk, here, number, length, offset, comment = _END.unpack(tail[-_END.size :])
    end = size - _END.size
    if comment or disk or first_disk or here != number:
        raise refuse("its end is not a plain one", "one volume, no comment")
    (number, length, offset), start = _widened_end(stream, end, (number, length, offset), refuse)
    if offset + length != start:
        failed = "its directory is cut off" if offset + length > start else _gap(0)
        raise refuse(failed, f"the central directory to end at byte {start}", f"at byte {offset + length}")
    if length > _LONGEST_DIRECTORY:
        raise refuse("its directory is too large", f"at most {_LONGEST_DIRECTORY} bytes", length)
    return _Directory(offset=offset, size=length, number=number)


def _widened_end(stream: BinaryIO, end: int, classic: _End, refuse: Refusal) -> tuple[_End, int]:
    """Number, length and offset of the directory as the ZIP64 end says them, and where the directory ends.

    :param end: offset of the classic end record, which says `classic`.
    """
    at = end - _LOCATOR_64.size
    locator = _exactly(stream, at, _LOCATOR_64.size, refuse) if at >= 0 else b""
    if locator[:4] != b"PK\6\7":
        return classic, end
    _, disk, place, volumes = _LOCATOR_64.unpack(locator)
    if disk or volumes not in (0, 1) or place + _END_64.size != at:
        raise refuse("its ZIP64 end is not a plain one", "one volume, next to its locator")
    fields = _END_64.unpack(_exactly(stream, place, _END_64.size, refuse))
    mark, rest, _, _, disk, first_disk, here, number, length, offset = fields
    if mark != b"PK\6\6" or rest != _END_64.size - 12 or disk or first_disk or here != number:
        raise refuse("its ZIP64 end is not a plain one", "one volume")
    wide = (number, length, offset)
    most = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    if any(old not in (new, limit) for old, new, limit in zip(classic, wide, most, strict=True)):
        raise refuse("its two ends differ", f"as in the ZIP64 end: {wide}", classic)
    return wide, place


def _read_directory(stream: BinaryIO, directory: _Directory, refuse: Refusal) -> list[Claims]:
    body = _exactly(stream, directory.offset, directory.size, refuse)
    entries, at = [], 0
    while at < len(body):
        entry, at = central_claims(body, at, refuse)
        entries.append(entry)
        if len(entries) > directory.number:
            break
    if len(entries) != directory.number:
        raise refuse("its directory lies about its number of members", str(directory.number), len(entries))
    return entries


def _check_member(entry: Claims, refuse: Refusal) -> str:
    """The name of a member of a kind that we take."""
    try:
        name = entry.name.decode("utf-8" if entry.flags & UTF_8 else "ascii")
    except UnicodeDecodeError as error:
        raise refuse("a member's name can't be read", "UTF-8, and marked as such", entry.name) from error
    _check_manner(entry, name, refuse)
    if entry.method == _STORED and entry.flags & DESCRIBED:
        raise refuse("a stored member has its size only behind it", "its size in its header", name)
    kind = entry.mode & 0o170000
    if kind == 0o120000:
        raise refuse("a member is a symbolic link", "files and folders", name)
    if kind not in (0, _FILE, _FOLDER) or (kind and (kind == _FOLDER) != name.endswith("/")):
        raise refuse("a member is no plain file", "files and folders", name)
    return name


def _check_manner(claims: Claims, name: str, refuse: Refusal) -> None:
    """Only what every installer unpacks."""
    known = claims.method in (_STORED, _DEFLATED) and claims.needed <= _NEWEST_NEEDED
    if claims.flags & ~_FLAGS or not known:
        raise refuse(
            "a member is packed in a way that not every installer reads",
            "stored or deflated, not encrypted, version 6.3 at the most",
            f"{name}: method {claims.method}, flags {claims.flags:#06x}, version {claims.needed}",
        )


def _read_member(stream: BinaryIO, entry: Claims, name: str, end: int, refuse: Refusal) -> ZipMember:
    """A member whose local header, and data descriptor if it has one, say what the directory says."""
    fixed = _exactly(stream, entry.offset, LOCAL.size, refuse)
    if fixed[:4] != b"PK\3\4":
        raise refuse("a member's local header is not there", f"the header of {name}", f"byte {entry.offset}")
    lengths = LOCAL.unpack(fixed)[-2:]
    local = local_claims(fixed + _exactly(stream, entry.offset + LOCAL.size, sum(lengths), refuse), refuse)
    start = entry.offset + LOCAL.size + sum(lengths)
    differing = [
        field for field in ("name", "method", "flags") if getattr(local, field) != getattr(entry, field)
    ]
    sizes = ("crc", "packed", "size")
    described = bool(entry.flags & DESCRIBED)
    for field in sizes:
        known, claimed = getattr(entry, field), getattr(local, field)
        if claimed != known and not (described and claimed == 0):
            differing.append(field)
    if differing:
        raise refuse(
            "a member's local header and the central directory differ",
            "the same " + ", ".join(differing), name,
        )  # fmt: skip
    _check_manner(local, name, refuse)
    behind = end - start - entry.packed
    if not described and behind > 0:
        raise refuse("there are bytes between its members", f"nothing behind {name}", f"{behind} bytes")
    if behind < 0:
        raise refuse("its members overlap", f"{name} to end at byte {end}", f"at byte {end - behind}")
    if described:
        claims = descriptor_claims(_exactly(stream, start + entry.packed, min(behind, 25), refuse))
        if claims != (entry.crc, entry.packed, entry.size):
            raise refuse("a member's data descriptor and the central directory differ", "the same", name)
    folder = name.endswith("/")
    if folder and entry.size:
        raise refuse("a folder has bytes of its own", "none", name)
    return ZipMember(
        name=name, folder=folder, deflated=entry.method == _DEFLATED, start=start,
        packed=entry.packed, size=entry.size, crc=entry.crc,
    )  # fmt: skip
