"""What a failed build lacked, as its output says it: a header, a library, a program, a module."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAME = r"(?P<name>[\w.+-]+)"
_PROGRAM = r"(?P<name>[A-Za-z][\w+-]*)"
_HEADER = r"(?P<name>[\w./+-]+)"

# The earlier one is nearer to the cause. What CMake may lack has two dashes before it, and is not meant here.
_SAYINGS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # Compilers and linkers.
        ("header", rf"fatal error: {_HEADER}: No such file"),
        ("header", rf"fatal error: '{_HEADER}' file not found"),
        ("library", rf"cannot find -l:?{_NAME}"),
        ("library", rf"unable to find library -l{_NAME}"),
        # Meson.
        ("pkg-config", rf'ERROR: Dependency "{_NAME}" not found'),
        ("library", rf"ERROR: \S+ (shared or static |shared |static )?library '{_NAME}' not found"),
        ("header", rf"ERROR: \S+ header '{_HEADER}' not found"),
        # pkg-config, autoconf and what asks them.
        ("pkg-config", rf"Package '?{_NAME}'? was not found in the pkg-config search path"),
        ("pkg-config", rf"Package '{_NAME}', required by '[^']+', not found"),
        ("pkg-config", rf"No package '{_NAME}' found"),
        ("pkg-config", rf"Command 'pkg-config --exists {_NAME}' returned non-zero"),
        ("pkg-config", rf"PackageNotFoundError: {_NAME} not found"),
        ("pkg-config", r"make sure the libxml2 and (?P<name>libxslt) development packages"),
        # CMake.
        ("cmake", r"^\s+Could NOT find (?P<name>\w+)"),
        ("cmake", rf'configuration file provided by "{_NAME}"'),
        # Some setup.py have words of their own.
        ("library", rf"headers or library files could not be found for {_NAME}\b"),
        ("cmake", r"Unable to (load dependency|locate) (?P<name>HDF5)"),
        # Programs.
        ("program", r"(?P<name>Cargo), the Rust package manager, is not installed"),
        ("program", r"can't find (?P<name>Rust) compiler"),
        ("program", rf"Program\(?s?\)? \[?'?{_PROGRAM}'?\]? not found"),
        ("program", rf"error: command '{_PROGRAM}' failed: No such file or directory"),
        ("program", rf"unable to execute '{_PROGRAM}': No such file"),
        ("program", rf"Can't exec \"{_PROGRAM}\": No such file"),
        ("program", rf"^g?make(\[\d+\])?: {_PROGRAM}: No such file or directory"),
        ("program", rf"\b{_PROGRAM} executable (was )?not found"),
        ("program", r"Provide a path to (?P<name>[\w-]+-config)\b"),
        ("program", r"Could not (find|locate) (?P<name>[\w-]+[_-]config)\b"),
        ("program", r"Problem with the (?P<name>CMake) installation"),
        ("program", rf"(^|[\s/]){_PROGRAM}: (command )?not found"),
        # Lower case: README and VERSION are looked for as well, and are no programs.
        ("program", r"No such file or directory: '(?P<name>[a-z][a-z0-9_+-]*)'"),
        # Python.
        ("module", r"^\s*(ModuleNotFoundError|ImportError): No module named '?(?P<name>\w+)"),
        ("module", r"Cannot import '(?P<name>\w+)|Backend '(?P<backend>\w+)[^']*' is not available"),
    )
)
_SAME = {"Cargo": "cargo", "Rust": "cargo", "rustc": "cargo", "CMake": "cmake"}
# Under what name the index has a module, where that is another one.
_PROJECTS = {
    "Cython": "cython",
    "attr": "attrs",
    "flit_core": "flit-core",
    "jinja2": "jinja2",
    "mesonpy": "meson-python",
    # It was taken out of setuptools later.
    "pkg_resources": "setuptools<81",
    "poetry": "poetry-core",
    "skbuild": "scikit-build",
    "yaml": "pyyaml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPart:
    """Something that a build needed and did not find.

    :param kind: `header`, `library`, `pkg-config`, `cmake`, `program` or `module`.
    :param name: as the build called it.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        kinds = {"pkg-config": "pkg-config module", "cmake": "CMake package", "module": "Python module"}
        return f"{kinds.get(self.kind, self.kind)} {self.name}"

    @property
    def requirement(self) -> str:
        """The build requirement that brings it; empty where it is no module of Python's."""
        if self.kind != "module":
            return ""
        return _PROJECTS.get(self.name, self.name.replace("_", "-").lower())


def find_missing(lines: Sequence[str]) -> MissingPart | None:
    """What a failed build lacked first of all; None where nothing in its output says so."""
    for kind, pattern in _SAYINGS:
        for line in lines:
            if found := pattern.search(line):
                name = next(text for text in found.groupdict().values() if text)
                return MissingPart(kind=kind, name=_SAME.get(name, name).strip("."))
    return None


def missing_facts(missing: MissingPart | None) -> dict[str, str]:
    """What an error says of what was missing, for `worker.mend.name_mend`."""
    return {"missing_kind": missing.kind if missing else "", "missing_name": missing.name if missing else ""}
