"""The bytes of a zip's member: unpacked in pieces, never more than its header says, checked to the end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from wheelyard.digests import CHUNK
from wheelyard.distributions.refusal import Refusal
from wheelyard.distributions.zip_archive import ZipMember


def member_pieces(stream: BinaryIO, member: ZipMember, refuse: Refusal) -> Iterator[bytes]:
    """Unpack a member.

    :raises ForeignOutputRefused: at the end: its size, its CRC or the end of its packed bytes is another one.
    """
    size, crc = 0, 0
    stream.seek(member.start)
    pieces = _inflated(stream, member, refuse) if member.deflated else _stored(stream, member, refuse)
    for piece in pieces:
        size += len(piece)
        if size > member.size:
            raise refuse("a member is larger than its header says", f"{member.size} bytes", member.name)
        crc = zlib.crc32(piece, crc)
        yield piece
    if (size, crc) != (member.size, member.crc):
        raise refuse(
            "a member's bytes are not those of its header",
            f"{member.size} bytes, CRC {member.crc:08x}",
            f"{member.name}: {size} bytes, CRC {crc:08x}",
        )


def member_bytes(stream: BinaryIO, member: ZipMember, longest: int, refuse: Refusal) -> bytes:
    """A small member whole.

    :param longest: in bytes.
    """
    if member.size > longest:
        raise refuse(f"its {member.name.rpartition('/')[2]} is too large", f"at most {longest} bytes")
    return b"".join(member_pieces(stream, member, refuse))


def _packed(stream: BinaryIO, member: ZipMember, refuse: Refusal) -> Iterator[bytes]:
    left = member.packed
    while left:
        piece = stream.read(min(left, CHUNK))
        if not piece:
            raise refuse("it can't be read", "a whole archive", f"the end of the file inside {member.name}")
        left -= len(piece)
        yield piece


def _stored(stream: BinaryIO, member: ZipMember, refuse: Refusal) -> Iterator[bytes]:
    if member.packed != member.size:
        raise refuse("a stored member has two sizes", f"{member.size} bytes", f"{member.packed} bytes")
    return _packed(stream, member, refuse)


def _inflated(stream: BinaryIO, member: ZipMember, refuse: Refusal) -> Iterator[bytes]:
    if not member.packed:
        return  # A folder, as some tools write it: deflated, with nothing to inflate.
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for packed in _packed(stream, member, refuse):
        waiting = packed
        while waiting or not inflater.eof:
            if inflater.eof:
                break
            try:
                piece = inflater.decompress(waiting, CHUNK)
            except zlib.error as error:
                raise refuse("a member can't be unpacked", "deflated bytes", member.name) from error
            waiting = inflater.unconsumed_tail
            if piece:
                yield piece
            elif not waiting:
                break
        if inflater.eof and (waiting or inflater.unused_data):
            raise refuse("a member has bytes behind its end", "nothing there", member.name)
    if not inflater.eof:
        raise refuse("a member can't be unpacked", "the end of its deflated bytes", member.name)
