"""What a failed smoke test says: the module, its wheel, the last lines, and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wheelyard.errors import BuildFailed, InfrastructureError

PackageSearch = Callable[[str], Sequence[str]]
"""Gives the Debian packages that have a soname, the likeliest first."""

_LINES = 12
_LINE = 200
_LIBRARY = re.compile(
    r"(?P<name>[\w+.-]+\.so(?:\.[\w.]+)*)(?:: cannot open shared object file| => not found)"
)
_MODULE = re.compile(r"No module named '?(?P<name>[\w.]+)")
_ADVICE = (
    (
        re.compile(r"No space left on device|Errno 28"),
        "it wrote more to /tmp than there is room for in a test",
    ),
    (
        re.compile(
            r"Network is unreachable|Temporary failure in name resolution|Name or service not known|"
            r"No address associated with hostname|NameResolutionError|gaierror|getaddrinfo failed"
        ),
        "what needs the network at its import fails wherever there is none for a moment",
    ),
    (
        re.compile(r"Read-only file system|Errno 30|EROFS|Permission denied|Errno 13"),
        "only /tmp can be written: tell it by a variable to write there, such as --env HOME=/tmp",
    ),
)
_PROGRAM = re.compile(r"No such file or directory: '(?P<name>[\w+-]+)'")
_LEFT_OUT = "leave the test out with --no-smoke-test (smoke_test = false)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeFailure:
    """One thing that did not work in the image, as the script in the container tells it.

    :param what: `import cv2`.
    :param reason: one sentence or a line of Python's.
    :param wheel: project that it is about; empty where it is none.
    :param lines: the last ones that were written.
    :param slow: whether its time was over.
    :param killed: whether something killed its process.
    """

    what: str
    reason: str
    wheel: str = ""
    module: str = ""
    lines: tuple[str, ...] = ()
    slow: bool = False
    killed: bool = False

    @classmethod
    def from_document(cls, event: Mapping[str, Any]) -> SmokeFailure:
        """Read an event of the kind `failed`."""
        return cls(
            what=str(event["what"])[:_LINE],
            reason=str(event["reason"])[: 4 * _LINE],
            wheel=str(event.get("wheel", "")),
            module=str(event.get("module", "")),
            lines=tuple(str(line)[:_LINE] for line in event.get("lines", ())[-_LINES:]),
            slow=bool(event.get("slow")),
            killed=bool(event.get("killed")),
        )

    @property
    def text(self) -> str:
        """All that was said of it."""
        return "\n".join((*self.lines, self.reason))

    @property
    def library(self) -> str:
        """The soname of a library that was missing; empty where none was."""
        found = _LIBRARY.search(self.text)
        return found["name"] if found else ""

    def to_document(self) -> dict[str, Any]:
        """The failure as JSON-serialisable fields."""
        return {
            "what": self.what,
            "reason": self.reason,
            "wheel": self.wheel,
            "module": self.module,
            "library": self.library,
            "lines": list(self.lines),
        }


def smoke_error(
    failures: Sequence[SmokeFailure],
    *,
    wheels: Mapping[str, str],
    memory: int,
    memory_kills: int,
    packages_with: PackageSearch,
    natives: Mapping[str, str],
) -> BuildFailed:
    """The error of an image whose smoke test failed.

    :param failures: at least one; the first one is the error's own, the others are named.
    :param wheels: project to file name.
    :param memory: that the container had, in bytes.
    :param memory_kills: how often the kernel killed something in it for lack of memory.
    :param natives: those that it lacks, to the project that runs their programs.
    """
    first = failures[0]
    wheel = wheels.get(first.wheel, first.wheel)
    others = [f"{one.what}: {one.reason.splitlines()[-1] if one.reason else ''}" for one in failures[1:]]
    # Python's own last line is among the lines that it wrote.
    said = [line for line in first.lines if line.strip()]
    last = [line for line in first.reason.splitlines() if line not in said]
    return BuildFailed(
        f"the image's smoke test failed: {first.what}" + (f", of {wheel}" if wheel else ""),
        expected="all of it to work without network, with a read-only root and as the image's own user",
        found="\n".join([*said, *last, *(f"and {other}" for other in others)]),
        do=_mend(first, memory, memory_kills, packages_with, natives),
        module=first.module,
        wheel=wheel,
        library=first.library,
        failures=[one.to_document() for one in failures],
    )


def _mend(
    failure: SmokeFailure,
    memory: int,
    memory_kills: int,
    packages_with: PackageSearch,
    natives: Mapping[str, str],
) -> str:
    """What to do about a failure; the first cause that its text names is the nearest."""
    text, otherwise = failure.text, _LEFT_OUT
    if failure.module and failure.wheel:
        # A module may be meant for something that is elsewhere.
        otherwise = f'say in the recipe which modules it is imported by (`imports = ["…"]`), or {_LEFT_OUT}'
    if failure.killed or memory_kills:
        return (
            f"it may use {memory >> 20} MiB, files in /tmp included, and was killed: ask for the image with "
            "more memory, such as --memory 6G"
        )
    if failure.library:
        return _library_mend(failure.library, packages_with)
    if found := _MODULE.search(text):
        name = found["name"].partition(".")[0]
        return f"add the project that has the module {name} to the requirements; or {otherwise}"
    for cause, advice in _ADVICE:
        if cause.search(text):
            return f"{advice}; or {otherwise}"
    if failure.slow:
        return f"see what it waits for: there is no network and no terminal; or {otherwise}"
    if natives:
        # Nothing else was recognised, and not everybody says which program was missing.
        native, project = next(iter(natives.items()))
        return f'{project} runs programs of the native {native}: --native {native} (natives = ["{native}"])'
    if found := _PROGRAM.search(text):
        return f"add the Debian package that has the program {found['name']} (--package NAME)"
    return f"try it in a container of the image; or {otherwise}"


def _library_mend(library: str, packages_with: PackageSearch) -> str:
    try:
        packages = packages_with(library)
    except InfrastructureError:
        # A hint is worth no second failure.
        packages = ()
    why = f"no file in the image names {library} before it is opened"
    if not packages:
        return f"{why}: add the Debian package that has it (--package NAME)"
    others = f" (or {', '.join(packages[1:])})" if packages[1:] else ""
    return (
        f"{why}; the Debian package {packages[0]}{others} has it: --package {packages[0]} "
        f'(packages = ["{packages[0]}"])'
    )
