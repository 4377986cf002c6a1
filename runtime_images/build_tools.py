"""The tools that a runtime image must do without, looked for path by path in its layers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Protocol

from runtime_images.layer_contents import Entry

TOOLS: dict[str, re.Pattern[str]] = {
    tool: re.compile(pattern)
    for tool, pattern in {
        "gcc": r"(.*-)?gcc(-\d+)?",
        "g++": r"(.*-)?g\+\+(-\d+)?",
        "cc": r"cc|c\+\+|c[89]9(-gcc)?",
        "clang": r"clang(\+\+)?(-\d+)?",
        "tcc": r"tcc",
        "rustc": r"rustc|cargo",
        "gfortran": r"(.*-)?gfortran(-\d+)?",
        "as": r"(.*-)?as",
        "ld": r"(.*-)?ld(\.(bfd|gold|lld|mold))?",
        "make": r"g?make",
        "cmake": r"cmake",
        "ninja": r"ninja(-build)?",
        "git": r"git(-.*)?",
        "hg": r"hg|svn|bzr",
        "pip": r"pip(\d(\.\d+)?)?",
        "uv": r"uvx?|conda|mamba|poetry",
        "dpkg": r"dpkg(-.*)?",
        "apt": r"apt(-.*)?",
        "rpm": r"rpm|dnf|yum|microdnf",
        "apk": r"apk",
        "sh": r"sh|dash|ash|ksh|zsh",
        "bash": r"r?bash",
        "busybox": r"busybox|toybox",
        "perl": r"perl(5.*)?",
        "curl": r"curl",
        "wget": r"wget",
    }.items()
}
"""Name for people to the file names of its programs."""

MARKS: dict[str, tuple[bytes, ...]] = {
    "gcc": (b"COLLECT_GCC_OPTIONS",),
    "clang": (b"clang version ",),
    "tcc": (b"tcc version ",),
    "as": (b"GNU assembler",),
    "ld": (b"GNU ld (",),
    "make": (b"GNU Make ",),
    "cmake": (b"CMAKE_MODULE_PATH",),
    "ninja": (b"build.ninja",),
    "git": (b"GIT_EXEC_PATH",),
    "dpkg": (b"dpkg-deb",),
    "apt": (b"libapt-pkg.so",),
    "rpm": (b"librpm.so",),
    # Every shell of POSIX has both variables.
    "sh": (b"OPTIND", b"PPID"),
    "bash": (b"GNU bash, version ",),
    "busybox": (b"BusyBox v",),
    "perl": (b"PERL5LIB",),
    "curl": (b"curl --manual",),
    "wget": (b"GNU Wget",),
}
"""Tool to what its program has among its bytes, whatever its file is called; all of a row's must be there."""


class Search(Protocol):
    """Bytes that can be searched: `bytes` itself, or a part of a mapped file."""

    def find(self, sub: bytes, /) -> int:
        """Where bytes begin, or -1."""


_PIP_PACKAGE = re.compile(r"(.*/)?(pip/__init__\.pyc?|pip-[^/]*\.whl)")


def find_tools(items: Iterable[tuple[str, Entry]]) -> dict[str, tuple[str, ...]]:
    """Where each tool lies: programs by name, pip as a package too; a tool that is nowhere has no entry.

    :param items: every path of an image and what is there.
    """
    found: dict[str, list[str]] = {}
    for path, entry in items:
        if entry.kind == "link" or (entry.kind == "file" and entry.mode & 0o111):
            name = posixpath.basename(path)
            for tool, pattern in TOOLS.items():
                if pattern.fullmatch(name):
                    found.setdefault(tool, []).append(f"/{path}")
        if entry.kind == "file" and _PIP_PACKAGE.fullmatch(path):
            found.setdefault("pip", []).append(f"/{path}")
    return {tool: tuple(sorted(paths)) for tool, paths in sorted(found.items())}


def find_marks(body: Search) -> tuple[str, ...]:
    """Tools whose marks a program has among its bytes.

    :param body: the whole file.
    """
    return tuple(tool for tool, marks in MARKS.items() if all(body.find(mark) >= 0 for mark in marks))


def find_setuid(items: Iterable[tuple[str, Entry]]) -> tuple[str, ...]:
    """Files that run with their owner's or group's rights."""
    return tuple(sorted(f"/{path}" for path, entry in items if entry.kind == "file" and entry.mode & 0o6000))
