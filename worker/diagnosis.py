"""What went wrong in a build: its first real error, and what it lacked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wheelyard.errors import BuildFailed
from worker.missing_part import find_missing, missing_facts

# The earlier pattern is nearer to the cause: a compiler's own error beats the build tool's echo of it.
_CAUSES = (
    re.compile(r"^(?P<text>\S+?:\d+(:\d+)?: (fatal )?error: .+)"),
    re.compile(r"^(?P<text>\S*ld(\.bfd|\.gold|\.lld)?: (error: )?(cannot find .+|.*undefined reference.+))"),
    re.compile(r"(?P<text>undefined reference to .+)"),
    re.compile(r"(?P<text>\S+:\d+:\d+: ERROR: .+)"),
    re.compile(r"^\s*(?P<text>CMake Error.*)"),
    re.compile(r"^(?P<text>error: (?!command ').+)"),
    re.compile(r"^(?P<text>(\w+\.)*\w*(Error|Exception|NotFound)\b: .+)"),
    re.compile(r"^(?P<text>ERROR: .+)"),
)
_REFUSED_PATCH = re.compile(r"the patch \S+ does not apply to .+")


def first_error(lines: Sequence[str]) -> str:
    """The line nearest to the cause of a failed compile; empty where none looks like one."""
    for cause in _CAUSES:
        for line in lines:
            if found := cause.search(line):
                return found["text"].strip()[:500]
    return ""


def said_below(lines: Sequence[str], error: str) -> str:
    """The first words below an error that only says where it is, as CMake's do; empty for others."""
    if not error.startswith("CMake Error") or not error.endswith(":"):
        return ""
    place = next(number for number, line in enumerate(lines) if error in line)
    return next((line.strip() for line in lines[place + 1 :] if line.strip()), "")[:500]


def full_disk(lines: Sequence[str]) -> str:
    """The first line that says that a file found no room (ENOSPC); empty where none does."""
    return next((line.strip()[:500] for line in lines if "No space left on device" in line), "")


def refused_patch(said: Sequence[str], phase: str) -> BuildFailed | None:
    """The error of a patch that does not fit the sources; None where it was something else.

    :param said: what our own script in the container said.
    """
    if not said or not _REFUSED_PATCH.match(said[-1]):
        return None
    return BuildFailed(
        said[-1],
        expected="sources that the patch was made for; nothing around a change may differ",
        do="make the patch anew for this version, or say in the recipe which versions it is for: "
        'versions = "<2" beside its file',
        phase=phase,
        first_error=said[-1],
    )


def diagnose(lines: Sequence[str], *, title: str, phase: str, said: Sequence[str], code: int) -> BuildFailed:
    """The error of a phase that failed, made of what it printed.

    :param lines: end of its output, oldest first.
    :param said: what our own script in the container said of it.
    :param code: exit status.
    """
    if refused := refused_patch(said, phase):
        return refused
    error = first_error(lines) or (said[-1] if said else "") or f"exit status {code}"
    missing = find_missing(lines)
    hint = f"the {missing} is missing in the build; " if missing else ""
    return BuildFailed(
        f"{title}: the phase {phase} failed",
        found=f"{error} {said_below(lines, error)}".rstrip(),
        do=f"{hint}the whole log tells more: `wheelyard logs` with the job's id",
        phase=phase,
        first_error=error,
        **missing_facts(missing),
    )
