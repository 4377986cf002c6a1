"""uv.lock, read: what the project in it needs, at the versions and with the sdists that it locks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.git_address import GitAddress
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.linux import may_hold_on_linux
from wheelyard.inputs.locked_project import LockedProject, require_sdists
from wheelyard.inputs.toml_text import parse_toml
from wheelyard.inputs.wanted import Wanted, WantedLine
from wheelyard.requirements import parse_requirement

_VERSIONS = (1,)
Table = Mapping[str, Any]


def read_uv_lock(text: str, name: str, choice: Choice) -> Wanted:
    """What a lock of uv asks for: what the project needs, and as constraints all that this needs in turn.

    :param name: of the file, for messages.
    :raises InputError: it is no such lock, or has no sdist of some project.
    """
    document = parse_toml(text, name)
    if document.get("version") not in _VERSIONS:
        raise InputError(
            f"{name} is not a lock of uv that is known here",
            expected="version = 1",
            found=f"version = {document.get('version')!r}",
            do="give the lock as requirements: `uv export --no-emit-project -o lock.txt`",
        )
    try:
        return _UvLock(document, name).wanted(choice)
    except (KeyError, TypeError, AttributeError, InvalidMarker, InvalidRequirement) as error:
        raise InputError(
            f"{name} can't be read as a lock of uv", expected="what `uv lock` writes",
            found=f"{type(error).__name__}: {error}", do="write it again with `uv lock`",
        ) from error  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """One dependency of a package of the lock.

    :param target: the package that answers it.
    """

    target: Table
    extras: tuple[str, ...]
    marker: Marker | None


class _UvLock:
    """The packages of one lock."""

    def __init__(self, document: Table, name: str) -> None:
        self._name = name
        self._packages: dict[str, list[Table]] = {}
        for package in document.get("package", ()):
            self._packages.setdefault(canonicalize_name(package["name"]), []).append(package)

    def wanted(self, choice: Choice) -> Wanted:
        """What the project needs with the extras and groups of a choice."""
        edges = list(self._of_project(self._project(), choice))
        if not edges:
            raise InputError(
                f"{self._name} asks for nothing", expected="a project with dependencies",
                do="name a group with --group, or an extra with --extra",
            )  # fmt: skip
        needed = [self._locked(package) for package in self._reachable(edges)]
        require_sdists(self._name, needed)
        requirements = [self._line(edge) for edge in edges]
        requirements += [
            WantedLine(requirement=one.requirement(), origin=one.origin) for one in needed if one.source
        ]
        return Wanted(
            requirements=tuple(requirements),
            constraints=tuple(
                WantedLine(requirement=one.requirement(), digests=one.digests, origin=one.origin)
                for one in needed
                if not one.source
            ),
        )

    def _project(self) -> Table:
        """The project whose lock it is."""
        own = [
            package
            for packages in self._packages.values()
            for package in packages
            if {package["source"].get(kind) for kind in ("editable", "virtual", "directory")} & {"."}
        ]
        if len(own) != 1:
            raise InputError(
                f"{self._name} is the lock of no single project",
                expected="one package whose source is the folder itself",
                found=f"{len(own)} of them",
                do="give the part of the workspace as requirements: `uv export --package NAME -o lock.txt`",
            )
        return own[0]

    def _of_project(self, project: Table, choice: Choice) -> Iterator[_Edge]:
        yield from self._edges(project.get("dependencies", ()))
        for kind, table, names in (
            ("extra", "optional-dependencies", choice.extras),
            ("group", "dev-dependencies", choice.groups),
        ):
            tables = project.get(table, {})
            known: dict[str, Any] = {canonicalize_name(name): lines for name, lines in tables.items()}
            for name in sorted(names):
                if name not in known:
                    raise InputError(
                        f"{self._name} has no {kind} {name}",
                        expected=", ".join(sorted(known)) or f"a project with a {kind}",
                        do=f"mend --{kind}, or lock again with `uv lock`",
                    )
                yield from self._edges(known[name])

    def _edges(self, lines: Iterable[Table]) -> Iterator[_Edge]:
        for line in lines:
            marker = Marker(line["marker"]) if "marker" in line else None
            if may_hold_on_linux(marker):
                extras = tuple(line.get("extra", ()))
                yield _Edge(target=self._target(line), extras=extras, marker=marker)

    def _target(self, line: Table) -> Table:
        """The package that a dependency means; where there are several, it says which one."""
        packages = self._packages[canonicalize_name(line["name"])]
        fitting = [one for one in packages if line.get("version") in (None, one.get("version"))]
        return fitting[0]

    def _reachable(self, edges: Iterable[_Edge]) -> list[Table]:
        """Every package that the edges lead to, each once."""
        found: dict[int, Table] = {}
        seen: set[tuple[int, tuple[str, ...]]] = set()
        waiting = list(edges)
        while waiting:
            edge = waiting.pop()
            at = (id(edge.target), edge.extras)
            if at in seen:
                continue
            seen.add(at)
            found.setdefault(id(edge.target), edge.target)
            waiting += self._edges(edge.target.get("dependencies", ()))
            optional = edge.target.get("optional-dependencies", {})
            for extra in edge.extras:
                waiting += self._edges(optional.get(extra, ()))
        return sorted(found.values(), key=lambda one: (one["name"], one.get("version", "")))

    def _line(self, edge: _Edge) -> WantedLine:
        """A dependency of the project as a requirement."""
        one = self._locked(edge.target)
        requirement = Requirement(str(one.requirement()))
        requirement.extras, requirement.marker = set(edge.extras), edge.marker
        return WantedLine(
            requirement=parse_requirement(str(requirement), one.origin, git=True),
            digests=one.digests,
            origin=one.origin,
        )

    def _locked(self, package: Table) -> LockedProject:
        project = canonicalize_name(package["name"])
        origin = f"{self._name}, package {project}"
        source = package["source"]
        if not source.keys() & {"registry", "git"}:
            raise InputError(
                f"{origin} comes from {', '.join(source)}",
                expected="an index's sdist, or a git commit",
                found=str(next(iter(source.values()), "")),
                do="upload an sdist of it to a channel, and lock the project by its version",
            )
        # Of several versions each says where it holds.
        several = len(self._packages[project]) > 1
        markers = package.get("resolution-markers", ()) if several else ()
        sdist = package.get("sdist", {}).get("hash", "")
        return LockedProject(
            project=project,
            version=package.get("version", ""),
            source=_git_source(source["git"]) if "git" in source else "",
            marker=Marker(" or ".join(f"({marker})" for marker in markers)) if markers else None,
            sdist=Digest.parse(sdist) if sdist.startswith("sha256:") else None,
            wheels=bool(package.get("wheels")),
            origin=origin,
        )


def _git_source(address: str) -> str:
    """A source as uv writes it, `URL?subdirectory=FOLDER#COMMIT`, as PEP 508 does."""
    parts = urlsplit(address)
    folder = parse_qs(parts.query).get("subdirectory", [""])[0]
    place = parts._replace(query="", fragment="").geturl()
    return GitAddress(url=place, commit=parts.fragment, subdirectory=folder).text
