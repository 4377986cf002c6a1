"""The log of one program: appended to, put aside when it is long, and read from its end."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_LONG_BYTES = 16 << 20
_TAIL_BYTES = 64 << 10


def open_log(folder: Path, name: str) -> BinaryIO:
    """The log of a program, for appending; one of more than 16 MiB is put aside as `NAME.log.1` first."""
    path = folder / f"{name}.log"
    if path.exists() and path.stat().st_size > _LONG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def last_lines(folder: Path, name: str, count: int = 20) -> str:
    """The last lines of a program's log."""
    path = folder / f"{name}.log"
    if not path.exists():
        return "(it wrote no log)"
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-count:]) or "(its log is empty)"
