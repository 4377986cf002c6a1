"""What is to be compared: an application, its Dockerfiles, our spec of it, the requirement that changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.errors import InputError

OURS = "wheelyard"
SPEC = "image.toml"
REQUIREMENTS = "requirements.txt"
SUFFIX = ".Dockerfile"
SHARED = "/shared"
# It becomes a part of a repository's name.
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOrder:
    """One comparison, as the command asks the program that makes it.

    :param app: the application's folder, with its `requirements.txt`.
    :param spec: our image's spec.
    :param dockerfiles: name of an image to its Dockerfile, in the order in which they are made.
    :param ours: whether our image is made, too.
    :param change: a requirement that takes the place of the one of its project; empty measures no change.
    :param shared: folder that every image sees while it runs: the first may write, the others read.
    :param base: image that `${BASE}` of the Dockerfiles stands for; empty means one of Debian packages.
    :param toolchain: whose release and Python that base has.
    :param wheels: `index`, pip's configured one, or `service`, the cache's.
    :param channel: of the service.
    :param engine: `auto`, `podman` or `docker`.
    :param keep: whether the images stay.
    """

    app: Path
    spec: Path
    dockerfiles: Mapping[str, Path] = field(default_factory=dict)
    ours: bool = True
    change: str = ""
    shared: str = SHARED
    base: str = ""
    toolchain: str
    wheels: str = "index"
    channel: str = "default"
    engine: str = "auto"
    keep: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, ours at the end."""
        return (*self.dockerfiles, *((OURS,) if self.ours else ()))

    def to_document(self) -> dict[str, Any]:
        """The order as JSON-serialisable fields."""
        document = {name: getattr(self, name) for name in self.__slots__}
        paths = {"app": str(self.app), "spec": str(self.spec)}
        return {
            **document,
            **paths,
            "dockerfiles": {name: str(one) for name, one in self.dockerfiles.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ComparisonOrder:
        """Inverse of `to_document`."""
        dockerfiles = {name: Path(place) for name, place in document["dockerfiles"].items()}
        paths = {name: Path(document[name]) for name in ("app", "spec")}
        return cls(**{**document, **paths, "dockerfiles": dockerfiles})


def find_dockerfiles(app: Path) -> dict[str, Path]:
    """The Dockerfiles of a folder that are called `NAME.Dockerfile`, by name, the largest images first.

    That a single stage comes before several is all that is known of their sizes before they are made.
    """
    found = {place.name.removesuffix(SUFFIX): place for place in app.glob(f"*{SUFFIX}")}
    return dict(sorted(found.items(), key=lambda item: (_stages(item[1]), item[0])))


def check_order(order: ComparisonOrder) -> None:
    """Look at an order before anything is made.

    :raises InputError: a file is not there, or a value can't be had.
    """
    if not (order.app / REQUIREMENTS).is_file():
        raise InputError(
            f"{order.app} is no application that can be compared",
            expected=f"a folder with a {REQUIREMENTS}",
            do="name another folder with --app",
        )
    if order.ours and not order.spec.is_file():
        raise InputError(f"{order.spec} is not a file", do="name our image's spec with --spec")
    for name, place in order.dockerfiles.items():
        if not _NAME.fullmatch(name) or name == OURS:
            raise InputError(
                f"an image can't be called {name!r}",
                expected=f"small letters, digits and single . _ -, and not {OURS}",
                do="name its file otherwise, or use --dockerfile NAME=FILE",
            )
        if not place.is_file():
            raise InputError(f"the Dockerfile of {name}, {place}, is not a file", do="see --dockerfile")
    if not order.names:
        raise InputError(
            f"{order.app} has nothing to compare",
            expected=f"files named NAME{SUFFIX}, or --dockerfile NAME=FILE",
        )
    shared = PurePosixPath(order.shared)
    if not shared.is_absolute() or ".." in shared.parts or len(shared.parts) < 2:
        raise InputError("--shared is not a folder of an image", expected="/shared", found=order.shared)
    if order.change:
        requirement_of(order.change)


def requirement_of(line: str) -> Requirement:
    """A requirement of one project (PEP 508).

    :raises InputError: it is none.
    """
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise InputError(
            f"{line!r} is not a requirement", expected="NAME==VERSION", found=str(error)
        ) from error


def changed_requirements(text: str, change: str) -> str:
    """A requirements file with one requirement in another version; a project that it lacks is added.

    :raises InputError: the change is no requirement.
    """
    wanted = requirement_of(change)
    lines, done = [], False
    for line in text.splitlines():
        if not done and _project(line) == canonicalize_name(wanted.name):
            lines.append(change)
            done = True
        else:
            lines.append(line)
    return "\n".join(lines if done else [*lines, change]) + "\n"


def spread(dockerfiles: Mapping[str, Path], only: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """The Dockerfiles that are asked for.

    :param only: names; empty means all.
    :raises InputError: a name that there is none of.
    """
    for name in only:
        if name != OURS and name not in dockerfiles:
            known = ", ".join([*dockerfiles, OURS])
            raise InputError(f"there is no image {name!r} to compare", expected=known, do="see --only")
    yield from ((name, place) for name, place in dockerfiles.items() if not only or name in only)


def _stages(dockerfile: Path) -> int:
    try:
        lines = dockerfile.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return sum(line.strip().upper().startswith("FROM ") for line in lines)


def _project(line: str) -> str:
    try:
        return canonicalize_name(Requirement(line.split(" #", maxsplit=1)[0].strip()).name)
    except InvalidRequirement:
        return ""
