"""Debian's merged `/usr`: the folders of the root that are links into it."""

from __future__ import annotations

MERGED = ("bin", "lib", "lib64", "sbin")


def merged_path(path: str) -> str:
    """A package's path as it is once `/bin`, `/lib`, `/lib64` and `/sbin` are links into `/usr`."""
    first, slash, rest = path.partition("/")
    return f"usr/{first}{slash}{rest}" if first in MERGED else path
