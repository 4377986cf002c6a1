"""The refusal of one file, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass

from wheelyard.errors import ForeignOutputRefused

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """Makes the errors of one file: `raise refuse("its RECORD lies", "what is right", what_is_there)`.

    :param what: the file, for instance `the wheel demo-1.0-py3-none-any.whl`.
    """

    what: str

    def __call__(self, failed: str, expected: str = "", found: object = "") -> ForeignOutputRefused:
        """The error that says in which way the file is wrong."""
        return ForeignOutputRefused(
            f"{self.what} was refused: {failed}", expected=expected, found=shown(found)
        )


def shown(found: object) -> str:
    """Foreign text for an error: short, and without what would move a terminal's cursor."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(found))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """How much one file may be, packed and unpacked. Sizes in bytes.

    :param packed: of the file.
    :param unpacked: of its members together.
    :param members: their number.
    :param ratio: of unpacked to packed, for one member above 4 MiB and for all together above 64 MiB.
    """

    packed: int
    unpacked: int
    members: int = 200_000
    ratio: int = 200

    @classmethod
    def of(cls, packed: int) -> SizeLimits:
        """The limits of files up to a size; unpacked they may have 20 times as many bytes."""
        return cls(packed=packed, unpacked=20 * packed)

    def check_file(self, size: int, refuse: Refusal) -> None:
        """Refuse a file that is too large as it is."""
        if size > self.packed:
            raise refuse("it is too large", f"at most {self.packed} bytes", size)

    def check_member(self, name: str, packed: int, unpacked: int, refuse: Refusal) -> None:
        """Refuse a member that grows out of proportion."""
        if unpacked > (4 << 20) and unpacked > self.ratio * max(packed, 1):
            raise refuse("a member is a compression bomb", f"at most {self.ratio} to 1", name)

    def check_whole(self, packed: int, unpacked: int, refuse: Refusal) -> None:
        """Refuse a file whose members are too much together."""
        if unpacked > self.unpacked:
            raise refuse("it is too large unpacked", f"at most {self.unpacked} bytes", unpacked)
        if unpacked > (64 << 20) and unpacked > self.ratio * max(packed, 1):
            raise refuse("it is a compression bomb", f"at most {self.ratio} to 1", f"{unpacked} of {packed}")

    def check_number(self, members: int, refuse: Refusal) -> None:
        """Refuse a file of too many members."""
        if members > self.members:
            raise refuse("it has too many members", f"at most {self.members}", members)
