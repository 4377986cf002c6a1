"""The text of requirements files, as pip reads it: lines joined at backslashes, comments, hashes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wheelyard.digests import Digest
from wheelyard.errors import InputError

INDEX_OPTIONS = ("--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--no-index")
"""They name an index, to which pip would go."""
OTHER_OPTIONS = (
    "--trusted-host", "--require-hashes", "--only-binary", "--prefer-binary", "--use-feature",
)  # fmt: skip
"""They change nothing of which versions and bytes are wanted."""
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[= ]")


def logical_lines(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Lines joined at their backslashes, without comments, each with its first number and that behind it."""
    first, joined = 0, ""
    for number, line in enumerate(lines):
        text = _COMMENT.sub("", line).strip()
        if not joined:
            first = number
        if text.endswith("\\"):
            joined += text.removesuffix("\\").rstrip() + " "
            continue
        joined += text
        if joined.strip():
            yield first, number + 1, joined.strip()
        joined = ""
    if joined.strip():
        yield first, len(lines), joined.strip()


def option_name(line: str) -> str:
    """The option that a line begins with, without its value."""
    return re.split(r"[=\s]", line, maxsplit=1)[0]


def split_hashes(line: str, origin: str) -> tuple[str, frozenset[Digest]]:
    """The requirement of a line, and the hashes that stand behind it.

    :param origin: where it stands, for messages.
    :raises InputError: a hash is none, or of another algorithm.
    """
    text, *words = _HASH.split(line)
    return text.strip(), frozenset(_digest(word, origin) for word in words)


def _digest(text: str, origin: str) -> Digest:
    word = text.strip()
    try:
        # Another algorithm's name stays before the digits, and is refused with them.
        return Digest(word.removeprefix("sha256:"))
    except InputError as error:
        raise InputError(
            f"{origin}: a hash can't be read", expected="--hash=sha256:…", found=word[:80]
        ) from error
