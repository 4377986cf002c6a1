"""Names that say what an image shall be of: `run/TOOLCHAIN/PROJECT/PROJECT--VERSION`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelyard.errors import InputError

RUN = "run"
"""First part of such names; nobody pushes or tags below it."""

_MOST_PROJECTS = 20
_BETWEEN = "--"
"""Between a project and its version: no project's canonical name (PEP 503) has two hyphens in a row."""
_PROJECT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunName:
    """What a repository's name below `run/` asks for.

    :param toolchain: name of the toolchain.
    :param requirements: one for each project, sorted (PEP 508).
    """

    toolchain: str
    requirements: tuple[str, ...]

    @classmethod
    def parse(cls, repository: str) -> RunName:
        """Read a repository's name.

        :raises InputError: it asks for nothing that can be; the message says which part.
        """
        first, *parts = repository.split("/")
        if first != RUN or len(parts) < 2:
            raise _wrong(repository, "too few parts")
        toolchain, *projects = parts
        if len(projects) > _MOST_PROJECTS:
            raise _wrong(repository, f"{len(projects)} projects; {_MOST_PROJECTS} are the most")
        wanted: dict[str, str] = {}
        for part in projects:
            name, requirement = _requirement(repository, part)
            if wanted.setdefault(name, requirement) != requirement:
                raise _wrong(repository, f"{name} in two versions")
        return cls(toolchain=toolchain, requirements=tuple(sorted(wanted.values())))


def _requirement(repository: str, part: str) -> tuple[str, str]:
    name, between, version = part.partition(_BETWEEN)
    if not _PROJECT.fullmatch(name) or canonicalize_name(name) != name:
        raise _wrong(repository, f"{part!r}, which is no project's canonical name")
    if not between:
        return name, name
    try:
        return name, f"{name}=={Version(version)}"
    except InvalidVersion as error:
        raise _wrong(repository, f"{version!r}, which is no version") from error


def _wrong(repository: str, found: str) -> InputError:
    return InputError(
        f"{repository[:200]} is no name that an image could be made by",
        expected=f"{RUN}/TOOLCHAIN/PROJECT/…, each project by its canonical name and perhaps "
        f"{_BETWEEN}VERSION: {RUN}/debian12-cp311/numpy--2.4.6/opencv-python-headless",
        found=found,
    )
