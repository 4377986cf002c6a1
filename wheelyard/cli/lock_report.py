"""How a lock stands to the index, for people and for programs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wheelyard.cli.tables import write_line, write_table
from wheelyard.lock_standing import LineStanding, Standing
from wheelyard.user_lock import UserLock


def write_standings(standings: Sequence[LineStanding]) -> None:
    """Write a line for each requirement, with the wheels that pip could take."""
    rows = [
        (
            one.line.project,
            one.line.version,
            one.standing.value,
            ", ".join(file.filename + (" (yanked)" if file.yanked else "") for file in one.wheels) or "-",
        )
        for one in standings
    ]
    write_table(("PROJECT", "VERSION", "STATE", "WHEEL"), rows)


def standings_document(standings: Sequence[LineStanding]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "project": one.line.project,
            "version": one.line.version,
            "state": one.standing.value,
            "origin": one.line.origin,
            "wheels": [
                {
                    "filename": file.filename,
                    "digest": None if file.digest is None else str(file.digest),
                    "url": file.url,
                    "yanked": file.yanked,
                }
                for file in one.wheels
            ],
        }
        for one in standings
    ]


def summary(standings: Sequence[LineStanding]) -> str:
    """How many of them stand how: `12 ready, 2 missing`."""
    counts = {standing: sum(one.standing is standing for one in standings) for standing in Standing}
    return ", ".join(f"{count} {standing.value}" for standing, count in counts.items() if count)


def install_line(index: str, files: Sequence[Path], lock: UserLock, *, hashed: bool) -> str:
    """The line that installs the whole lock from the index and from nowhere else.

    :param files: the lock, as pip shall read it.
    :param hashed: whether pip shall ask for hashes.
    """
    options = ["pip", "install", "--index-url", index, "--only-binary", ":all:", "--no-deps"]
    if hashed and all(pin.digests for pin in lock.pins):
        options.append("--require-hashes")
    for file in files:
        options += ["-r", str(file)]
    return shlex.join(options)


def write_index_lines(lock: UserLock) -> None:
    """Say which lines would lead pip away from the index that was waited for."""
    for number in lock.index_lines:
        write_line(
            f"note: {lock.lines[number].strip()!r} in the lock leads pip to another index; leave it out "
            "(`pip-compile --no-emit-index-url`), or take the lock that --write-lock writes"
        )
