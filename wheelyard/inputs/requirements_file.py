"""Requirements files and constraints files in pip's syntax, with hashes, and the files that they name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from wheelyard.errors import InputError
from wheelyard.inputs.wanted import Wanted, WantedLine, named
from wheelyard.requirement_lines import (
    INDEX_OPTIONS,
    OTHER_OPTIONS,
    logical_lines,
    option_name,
    split_hashes,
)
from wheelyard.requirements import parse_requirement

STANDARD_INPUT = Path("-")
_DEEPEST = 20
_NESTED = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_DO = {
    "-e": "the project itself is not built: give its folder as an argument for what its pyproject.toml needs "
    "(`uv export --no-emit-project` leaves the line out)",
    "--pre": "ask for the pre-release by its version, such as NAME>=2.0rc1",
    "--no-binary": "everything is built from source: leave the line out",
    "--config-settings": "config settings belong to a recipe; see `wheelyard recipe --help`",
}


def read_text(path: Path) -> str:
    """The text of a file, or of standard input for `-`.

    :raises InputError: it can't be read.
    """
    try:
        return sys.stdin.read() if path == STANDARD_INPUT else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} can't be read",
            expected="a file of requirements, a lock, or a project's pyproject.toml",
            found=str(error),
        ) from error


def read_requirements_file(path: Path, *, constraint: bool = False) -> Wanted:
    """What a file of requirements asks for, with all files that it names in turn.

    :param constraint: whether its lines only limit versions.
    :raises InputError: it can't be read, or a line is none; the message says file and line.
    """
    reading = _Reading()
    reading.read(path, constraint=constraint)
    return reading.wanted(path)


class _Reading:
    """One file and the files that it names."""

    def __init__(self) -> None:
        self._requirements: list[WantedLine] = []
        self._constraints: list[WantedLine] = []
        self._open: list[Path] = []
        self._index_lines: list[str] = []

    def wanted(self, path: Path) -> Wanted:
        """What was found.

        :raises InputError: only some lines have hashes, or a line leads to another index and has no hash.
        """
        hashed = [line for line in self._requirements if line.digests]
        bare = [line for line in self._requirements if not line.digests and line.requirement.url is None]
        if hashed and bare:
            raise InputError(
                f"{bare[0].origin}: {bare[0].requirement} has no hash, and other lines have",
                expected="a hash behind each line, or behind none, as pip wants it",
                found=f"no hash for {named(bare)}",
                do="lock the whole file again, with `pip-compile --generate-hashes`",
            )
        if self._index_lines and not hashed:
            raise InputError(
                f"{self._index_lines[0]} names an index",
                expected="requirements; which index they come from is the service's own affair",
                do="leave the line out (`pip-compile --no-emit-index-url`), or lock the file with hashes, "
                "which say what is meant, wherever it comes from",
            )
        if not self._requirements and not self._constraints:
            raise InputError(
                f"{path} asks for nothing", expected="lines such as numpy>=2", found="no requirement in it"
            )
        return Wanted(requirements=tuple(self._requirements), constraints=tuple(self._constraints))

    def read(self, path: Path, *, constraint: bool) -> None:
        """Read a file and what it names."""
        here = path if path == STANDARD_INPUT else path.resolve()
        if here in self._open or len(self._open) >= _DEEPEST:
            raise InputError(
                f"{path} is named by a file that it names itself",
                expected="files that do not go round in a circle",
                found=" -> ".join(str(one) for one in (*self._open, here)),
            )
        self._open.append(here)
        for place, line in self._lines(path):
            if line.startswith("-"):
                self._option(path, place, line, constraint=constraint)
            else:
                self._requirement(place, line, constraint=constraint)
        self._open.pop()

    def _lines(self, path: Path) -> Iterator[tuple[str, str]]:
        name = "standard input" if path == STANDARD_INPUT else str(path)
        for first, _, line in logical_lines(read_text(path).splitlines()):
            yield f"{name}, line {first + 1}", line

    def _option(self, path: Path, place: str, line: str, *, constraint: bool) -> None:
        name = option_name(line)
        value = line[len(name) :].strip().removeprefix("=").strip()
        if name in _NESTED and value and "://" not in value:
            self.read(path.parent / value, constraint=constraint or _NESTED[name])
        elif name in INDEX_OPTIONS:
            self._index_lines.append(f"{place}: {name}")
        elif name not in OTHER_OPTIONS:
            long = {"--editable": "-e"}.get(name, name)
            raise InputError(
                f"{place}: {line[:80]!r} is a pip option that means nothing here",
                expected="NAME, perhaps with a version, a marker and hashes; or `-r FILE`, `-c FILE`",
                do=_DO.get(long, "leave the line out"),
            )

    def _requirement(self, place: str, line: str, *, constraint: bool) -> None:
        text, digests = split_hashes(line, place)
        text, dashes, option = text.partition(" --")
        if dashes:
            name = option_name(f"--{option}")
            raise InputError(
                f"{place}: {name} behind a requirement means nothing here",
                expected="NAME, perhaps with a version, a marker and hashes",
                found=line[:80],
                do=_DO.get(name, "leave it out"),
            )
        requirement = parse_requirement(text.strip(), place, git=not constraint)
        if constraint and requirement.extras:
            raise InputError(
                f"{place}: {text.strip()!r} is a constraint with extras",
                expected="a constraint limits versions: NAME==VERSION",
                do=f"write {requirement.name}{requirement.specifier}, and ask for the extras elsewhere",
            )
        wanted = WantedLine(requirement=requirement, digests=digests, origin=place)
        (self._constraints if constraint else self._requirements).append(wanted)
