"""The log that is kept of a job: its beginning and its end, within a limit, with numbered lines, as gzip."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

_BLOCK = 1 << 16
_TAIL_SHARE = 8


class KeptLog:
    """Takes lines and writes a file. What fails is told at a log's end, so the end is always kept.

    The first seven eighths of the limit are written at once. Of what follows the last eighth is held in
    memory as it came, and cleaned at the end only: ten gigabytes of output cost little more than reading it.

    :param path: of the file.
    :param limit: bytes of text that are kept.
    :param shown: makes a raw line the line that is kept.
    """

    def __init__(self, path: Path, limit: int, shown: Callable[[str], str]) -> None:
        self._limit = limit
        self._shown = shown
        self._file = gzip.GzipFile(filename=str(path), mode="wb", compresslevel=6, mtime=0)
        self._room = limit - limit // _TAIL_SHARE
        self._head = 0
        self._head_is_open = True
        self._recent = _RecentLines(max(limit // _TAIL_SHARE, 1))
        self.left_out = 0
        """Lines that lack between the beginning and the end; known once it is closed."""

    def add(self, text: str) -> None:
        """The next line, raw."""
        self._recent.add(text)
        if self._head_is_open:
            body = self._shown(text).encode(errors="replace") + b"\n"
            if len(body) <= self._room:
                self._room -= len(body)
                self._head += 1
                self._file.write(body)
            else:
                # A shorter line that still fitted would stand in the place of those before it.
                self._head_is_open = False

    def last(self, count: int) -> list[str]:
        """The last lines as they are kept, oldest first; no more of them than are held.

        :param count: at the most.
        """
        return [self._shown(line) for line in self._recent.last(count)]

    def close(self, is_wanted: Callable[[str], bool] | None = None) -> int:
        """Write the end; returns the number, from 1, of the first of the last lines that is wanted, or 0.

        :param is_wanted: tells whether a line is the wanted one.
        """
        found = 0
        total = self._recent.total
        first = total - self._recent.count + 1
        rest: deque[str] = deque()
        room = self._room + self._limit // _TAIL_SHARE
        for number, raw in enumerate(self._recent.lines(), first):
            if number <= self._head and (found or is_wanted is None):
                continue
            line = self._shown(raw)
            if number > self._head:
                rest.append(line)
                room -= len(line.encode(errors="replace")) + 1
            elif is_wanted is not None and is_wanted(line):
                found = number
        while rest and room < 0:
            room += len(rest.popleft().encode(errors="replace")) + 1
        self.left_out = total - self._head - len(rest)
        number = self._head
        if self.left_out:
            number += 1
            self._file.write(f"(… {self.left_out} lines were left out here: the log is full)\n".encode())
        for line in rest:
            number += 1
            if not found and is_wanted is not None and is_wanted(line):
                found = number
            self._file.write(line.encode(errors="replace") + b"\n")
        self._file.close()
        return found


class _RecentLines:
    """The last lines within a number of bytes, in blocks: a line more costs next to nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._block = max(min(_BLOCK, limit // 8), 1)
        self._blocks: deque[tuple[bytes, int]] = deque()
        self._held = 0
        self._open: list[str] = []
        self._open_size = 0
        self._packed = 0
        self._dropped = 0

    @property
    def total(self) -> int:
        """Lines that were ever added."""
        return self._packed + len(self._open)

    @property
    def count(self) -> int:
        """Lines that are held."""
        return self.total - self._dropped

    def add(self, text: str) -> None:
        self._open.append(text)
        self._open_size += len(text) + 1
        if self._open_size >= self._block:
            self._pack()

    def _pack(self) -> None:
        body = "\n".join(self._open).encode(errors="replace")
        self._blocks.append((body, len(self._open)))
        self._held += len(body) + 1
        self._packed += len(self._open)
        self._open, self._open_size = [], 0
        while self._held > self._limit and len(self._blocks) > 1:
            old, count = self._blocks.popleft()
            self._held -= len(old) + 1
            self._dropped += count

    def lines(self) -> Iterator[str]:
        for body, _count in self._blocks:
            yield from body.decode().split("\n")
        yield from self._open

    def last(self, count: int) -> list[str]:
        found: deque[list[str]] = deque([self._open])
        have = len(self._open)
        for body, lines in reversed(self._blocks):
            if have >= count:
                break
            found.appendleft(body.decode().split("\n"))
            have += lines
        return [line for lines in found for line in lines][-count:]
