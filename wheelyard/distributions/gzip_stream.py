"""A gzip stream that is unpacked in pieces, up to a limit, and has nothing behind it."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from wheelyard.digests import CHUNK
from wheelyard.distributions.refusal import Refusal, SizeLimits


class GzipStream:
    """Reads one gzip stream (RFC 1952) forward; `tarfile` reads from it.

    :param size: of the packed file, in bytes.
    """

    def __init__(self, packed: BinaryIO, size: int, limits: SizeLimits, refuse: Refusal) -> None:
        self._packed, self._size, self._limits, self._refuse = packed, size, limits, refuse
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._ready = bytearray()
        self._unpacked = 0
        self.filled = 0
        """Offset behind the last unpacked byte that is not zero, of those that were looked at."""

    def read(self, size: int) -> bytes:
        """As many bytes as were asked for; fewer at the end only.

        :raises ForeignOutputRefused: it is no gzip stream, is cut off, too large, or something follows it.
        """
        while len(self._ready) < size and not self._inflater.eof:
            self._fill()
        taken = bytes(self._ready[:size])
        del self._ready[:size]
        return taken

    def finish(self) -> None:
        """Unpack the rest, for the sake of its checks."""
        while self.read(CHUNK):
            pass

    def _fill(self) -> None:
        waiting = self._inflater.unconsumed_tail or self._packed.read(CHUNK)
        try:
            piece = self._inflater.decompress(waiting, CHUNK)
        except zlib.error as error:
            raise self._refuse("it can't be read", "a gzip stream (RFC 1952)", error) from error
        if filled := len(piece.rstrip(b"\0")):
            self.filled = self._unpacked + filled
        self._unpacked += len(piece)
        self._limits.check_whole(self._size, self._unpacked, self._refuse)
        self._ready += piece
        if self._inflater.eof:
            if self._inflater.unused_data or self._packed.read(1):
                raise self._refuse("there are bytes after its end", "one gzip stream")
        elif not waiting and not piece:
            raise self._refuse("it can't be read", "a whole gzip stream", "its end is cut off")
