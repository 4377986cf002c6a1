"""What differs between a wheel and the same one built again: which members, and how."""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Any

from wheelyard.digests import Digest
from wheelyard.elf_sections import MAGIC, elf_sections

_PIECE = 1 << 16
_MOST_MEMBERS = 200
_LARGEST_LOOKED_INTO = 256 << 20
_LARGEST_TEXT = 1 << 20
_MOST_LINES = 40
_LONGEST_LINE = 200
_SHOWN_BYTES = 16
_AROUND = 24


class How(StrEnum):
    """In which way two wheels differ in one member."""

    PUBLISHED_ONLY = "only in the published wheel"
    REBUILT_ONLY = "only in the rebuilt wheel"
    BYTES = "other bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDifference:
    """One member that is not the same.

    :param sizes: in the published and in the rebuilt wheel, in bytes; 0 where it has none.
    :param offset: of the first byte that differs; -1 where the member is in one wheel only.
    :param published: the bytes from there on in the published wheel, as hexadecimal digits.
    :param rebuilt: the same in the rebuilt one.
    :param text: what stands around that place, in the published and the rebuilt wheel; other signs than
        letters are dots.
    :param sections: names of the sections that differ, of an ELF file.
    :param lines: of a unified diff, of a text.
    """

    name: str
    how: How
    sizes: tuple[int, int]
    offset: int = -1
    published: str = ""
    rebuilt: str = ""
    text: tuple[str, str] = ("", "")
    sections: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        lists = {name: list(getattr(self, name)) for name in ("sizes", "text", "sections", "lines")}
        return {**asdict(self), "how": self.how.value, **lists}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> MemberDifference:
        """Inverse of `to_document`."""
        lists = {name: tuple(document[name]) for name in ("sizes", "text", "sections", "lines")}
        return cls(**{**document, "how": How(document["how"]), **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelDifference:
    """Two wheels of the same inputs, compared byte by byte.

    :param names: file names of the published and the rebuilt wheel.
    :param digests: of them, as `sha256:…`.
    :param sizes: in bytes.
    :param members: those that differ, at most some hundreds.
    :param more: how many differ beyond those.
    :param archive: what differs in the archive around them, for people: order, times, modes.
    """

    names: tuple[str, str]
    digests: tuple[str, str]
    sizes: tuple[int, int]
    members: tuple[MemberDifference, ...] = ()
    more: int = 0
    archive: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the two are the very same file."""
        return self.names[0] == self.names[1] and self.digests[0] == self.digests[1]

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "equal": self.equal,
            **{name: list(getattr(self, name)) for name in ("names", "digests", "sizes", "archive")},
            "members": [member.to_document() for member in self.members],
            "more": self.more,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> WheelDifference:
        """Inverse of `to_document`."""
        return cls(
            **{name: tuple(document[name]) for name in ("names", "digests", "sizes", "archive")},
            members=tuple(MemberDifference.from_document(member) for member in document["members"]),
            more=document["more"],
        )


def compare_wheels(published: Path, rebuilt: Path) -> WheelDifference:
    """Compare two wheels that were checked before: their bytes, and where those differ, member by member.

    :param published: a file with the wheel's own name.
    :param rebuilt: the same.
    """
    pair = (published, rebuilt)
    whole = WheelDifference(
        names=(published.name, rebuilt.name),
        digests=(str(Digest.of_file(published)), str(Digest.of_file(rebuilt))),
        sizes=(published.stat().st_size, rebuilt.stat().st_size),
    )
    if whole.digests[0] == whole.digests[1]:
        return whole
    with zipfile.ZipFile(pair[0]) as first, zipfile.ZipFile(pair[1]) as second:
        found = _members(first, second)
        members = tuple(islice(found, _MOST_MEMBERS))
        return replace(
            whole,
            members=members,
            more=sum(1 for _ in found),
            archive=tuple(islice(_archive(first, second), _MOST_MEMBERS)) or _packing(members),
        )


def _members(first: zipfile.ZipFile, second: zipfile.ZipFile) -> Iterator[MemberDifference]:
    left = {member.filename: member for member in first.infolist()}
    right = {member.filename: member for member in second.infolist()}
    for name in sorted(left.keys() | right.keys()):
        if name not in right:
            yield MemberDifference(name=name, how=How.PUBLISHED_ONLY, sizes=(left[name].file_size, 0))
        elif name not in left:
            yield MemberDifference(name=name, how=How.REBUILT_ONLY, sizes=(0, right[name].file_size))
        else:
            with first.open(left[name]) as one, second.open(right[name]) as other:
                offset = _first_difference(one, other)
            if offset >= 0:
                sizes = (left[name].file_size, right[name].file_size)
                yield _look_into(name, sizes, offset, first, second)


def _first_difference(one: IO[bytes], other: IO[bytes]) -> int:
    """Offset of the first byte that differs; -1 where none does."""
    at = 0
    while True:
        left, right = one.read(_PIECE), other.read(_PIECE)
        if left != right:
            same = (
                number for number, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]
            )
            return at + next(same, min(len(left), len(right)))
        if not left:
            return -1
        at += len(left)


def _look_into(
    name: str, sizes: tuple[int, int], offset: int, first: zipfile.ZipFile, second: zipfile.ZipFile
) -> MemberDifference:
    if max(sizes) > _LARGEST_LOOKED_INTO:
        return MemberDifference(name=name, how=How.BYTES, sizes=sizes, offset=offset)
    left, right = first.read(name), second.read(name)
    return MemberDifference(
        name=name,
        how=How.BYTES,
        sizes=sizes,
        offset=offset,
        published=left[offset : offset + _SHOWN_BYTES].hex(),
        rebuilt=right[offset : offset + _SHOWN_BYTES].hex(),
        text=(_around(left, offset), _around(right, offset)),
        sections=_sections(left, right) if left[:4] == MAGIC else (),
        lines=_lines(left, right) if max(sizes) <= _LARGEST_TEXT else (),
    )


def _around(body: bytes, offset: int) -> str:
    shown = body[max(0, offset - _AROUND) : offset + 2 * _AROUND]
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in shown)


def _sections(left: bytes, right: bytes) -> tuple[str, ...]:
    one, other = elf_sections(left), elf_sections(right)
    found = [name for name in dict.fromkeys([*one, *other]) if one.get(name, b"\0") != other.get(name, b"\1")]
    return tuple(found) or ("the headers",)


def _lines(left: bytes, right: bytes) -> tuple[str, ...]:
    try:
        old, new = (body.decode().splitlines() for body in (left, right))
    except UnicodeDecodeError:
        return ()
    if any(b"\0" in body for body in (left, right)):
        return ()
    # The first two name the files.
    lines = list(islice(difflib.unified_diff(old, new, n=0, lineterm=""), 2, _MOST_LINES + 3))
    told = [line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " …" for line in lines]
    return tuple([*told[:_MOST_LINES], "…"] if len(told) > _MOST_LINES else told)


def _archive(first: zipfile.ZipFile, second: zipfile.ZipFile) -> Iterator[str]:
    left = {member.filename: member for member in first.infolist()}
    right = {member.filename: member for member in second.infolist()}
    common = left.keys() & right.keys()
    if [name for name in left if name in common] != [name for name in right if name in common]:
        yield "the members are in another order"
    for name in sorted(common):
        one, other = left[name], right[name]
        for what, values in (
            ("time", (_time(one), _time(other))),
            ("mode", (f"{one.external_attr >> 16:o}", f"{other.external_attr >> 16:o}")),
        ):
            if values[0] != values[1]:
                yield f"{name}: its {what} is {values[0]}, rebuilt {values[1]}"


def _time(member: zipfile.ZipInfo) -> str:
    return "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*member.date_time)


def _packing(members: tuple[MemberDifference, ...]) -> tuple[str, ...]:
    return () if members else ("every member is the same, and they are packed in another way",)
