"""What is in an image more than once: files of equal bytes, and libraries of one project, however named."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from wheelyard.image_receipt import Copy, Repeated
from wheelyard.listed_files import ListedFile

LEAST_BYTES = 64 << 10
"""Smaller files cost next to nothing, and many are equal by nature: empty `__init__.py`, licence texts."""

_PROJECTS = {
    "ffmpeg": r"lib(avcodec|avformat|avutil|avfilter|avdevice|swscale|swresample|postproc)|ffmpeg|ffprobe",
    "openblas": r"lib(scipy_)?openblas\w*",
    "libjpeg": r"lib(turbo)?jpeg\d*",
    "libpng": r"libpng\d*",
}
"""Project to the stems of its files, where one build has several or goes by several names."""

# auditwheel puts a piece of the digest into the name, again where it is run twice: libpng16-fdd27b5e.so.16
_HASH = re.compile(r"(-[0-9a-f]{8})+$")
_LIBRARY = re.compile(r"(lib[\w+.-]+?)(?:\.so(?:\.\d+)*)$")
_PROGRAM = re.compile(r"(ff(?:mpeg|probe))(?:[-_.].*)?")


def find_equal_files(files: Iterable[ListedFile]) -> list[Repeated]:
    """Files that are there more than once with the same bytes, the costliest first."""
    groups: dict[tuple[str, int], list[ListedFile]] = defaultdict(list)
    for file in files:
        if file.size >= LEAST_BYTES and not file.digest.startswith("->"):
            groups[file.digest, file.size].append(file)
    found = [
        Repeated(
            what=group[0].path,
            exact=True,
            copies=_copies(group),
            saves=(len(group) - 1) * group[0].size,
        )
        for group in groups.values()
        if len(group) > 1
    ]
    return sorted(found, key=lambda one: (-one.saves, one.what))


def find_equal_projects(files: Iterable[ListedFile], sonames: Mapping[str, str]) -> list[Repeated]:
    """Projects of which two or more parts of the image bring a build of their own, the costliest first.

    Only the names say so: the builds may differ in version and options, and one may lack what another has.

    :param files: of the image.
    :param sonames: path to DT_SONAME of the ELF files; only these and programs count.
    """
    groups: dict[str, list[ListedFile]] = defaultdict(list)
    for file in files:
        if file.path in sonames and file.size >= LEAST_BYTES and (project := project_of(file.path)):
            groups[project].append(file)
    found = []
    for project, group in groups.items():
        copies = _copies(group)
        if len(copies) > 1:
            sizes = sorted(copy.size for copy in copies)
            found.append(Repeated(what=project, exact=False, copies=copies, saves=sum(sizes[:-1])))
    return sorted(found, key=lambda one: (-one.saves, one.what))


def project_of(path: str) -> str:
    """The project of a shared library or program, by its file name; empty where that says nothing."""
    name = path.rpartition("/")[2]
    library, program = _LIBRARY.fullmatch(name), _PROGRAM.fullmatch(name)
    stem = _HASH.sub("", library[1]) if library else program[1] if program else ""
    for project, pattern in _PROJECTS.items():
        if re.fullmatch(rf"(?:{pattern})(-[\w.-]+)?", stem):
            return project
    return re.sub(r"-[\d.]+$", "", stem).removeprefix("lib") if stem else ""


def _copies(group: Iterable[ListedFile]) -> tuple[Copy, ...]:
    owners: dict[str, list[ListedFile]] = defaultdict(list)
    for file in group:
        owners[file.owner].append(file)
    return tuple(
        Copy(
            owner=owner,
            paths=tuple(sorted(file.path for file in files)),
            size=sum(file.size for file in files),
        )
        for owner, files in sorted(owners.items())
    )
