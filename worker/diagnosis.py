"""What went wrong in a compile: its first real error, and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from wheelyard.errors import BuildFailed, InfrastructureError

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
_HEADER = re.compile(r"fatal error: (?P<name>[\w./+-]+\.(h|hpp|hh|hxx|H)|[\w/]+): No such file")
_LIBRARY = re.compile(r"cannot find -l:?(?P<name>[\w.+-]+)")
_DEPENDENCY = re.compile(r'ERROR: Dependency "(?P<name>[\w.+-]+)" not found')
_PROGRAM = re.compile(
    r"(Program\(?s?\)? '?(?P<meson>[\w.+-]+)'? not found"
    r"|(?P<shell>[\w.+-]+): (command )?not found"
    r"|No such file or directory: '(?P<python>[\w.+-]+)')"
)


def first_error(lines: Sequence[str]) -> str:
    """The line nearest to the cause of a failed compile; empty where none looks like one."""
    for cause in _CAUSES:
        for line in lines:
            if found := cause.search(line):
                return found["text"].strip()[:500]
    return ""


def full_disk(lines: Sequence[str]) -> str:
    """The first line that says that a file found no room (ENOSPC); empty where none does."""
    return next((line.strip()[:500] for line in lines if "No space left on device" in line), "")


def missing_part(lines: Sequence[str]) -> tuple[str, str]:
    """What a compile lacked: `header`, `library`, `pkg-config` `program`, and its name; or empty."""
    for kind, pattern in (("header", _HEADER), ("library", _LIBRARY), ("pkg-config", _DEPENDENCY)):
        for line in lines:
            if found := pattern.search(line):
                return kind, found["name"]
    for line in lines:
        if found := _PROGRAM.search(line):
            return "program", next(name for name in found.groupdict().values() if name)
    return "", ""


def diagnose(lines: Sequence[str], *, title: str, phase: str, said: Sequence[str], code: int) -> BuildFailed:
    """The error of a phase that failed, made of what it printed.

    :param lines: end of its output, oldest first.
    :param said: what our own script in the container said of it.
    :param code: exit status.
    """
    error = first_error(lines) or (said[-1] if said else "") or f"exit status {code}"
    kind, name = missing_part(lines)
    hint = f"the {kind} {name} is missing in the toolchain; " if kind else ""
    return BuildFailed(
        f"{title}: the phase {phase} failed",
        found=error,
        do=f"{hint}the whole log tells more: `wheelyard logs` with the job's id",
        phase=phase,
        first_error=error,
        missing_kind=kind,
        missing_name=name,
    )


def name_package(error: BuildFailed, packages_of: Callable[[str, str], Sequence[str]]) -> BuildFailed:
    """The same error, with the Debian package that brings what was missing.

    :param packages_of: packages that bring a part of a kind and name, the likeliest first.
    """
    kind, name = error.facts.get("missing_kind", ""), error.facts.get("missing_name", "")
    if not kind:
        return error
    try:
        packages = list(packages_of(kind, name))
    except InfrastructureError:
        # A hint is worth no second failure.
        return error
    if not packages:
        return error
    others = f" (or {', '.join(packages[1:])})" if packages[1:] else ""
    return BuildFailed(
        error.failed,
        expected=error.expected,
        found=error.found,
        do=f"the Debian package {packages[0]}{others} has the {kind} {name}: "
        "add it to the packages of a toolchain of yours, see `wheelyard toolchain show`",
        **{**error.facts, "packages": packages},
    )
