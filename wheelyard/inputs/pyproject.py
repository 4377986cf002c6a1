"""pyproject.toml, read: what a project needs, with extras and dependency groups (PEP 621 and 735)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.dependency_groups import DependencyGroupResolver
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelyard.errors import InputError
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.toml_text import parse_toml
from wheelyard.inputs.wanted import Wanted, WantedLine
from wheelyard.requirements import parse_requirement

_LOCK_IT = "lock it, and give the lock: `pip-compile --generate-hashes -o lock.txt {name}`, or `uv lock`"


def read_pyproject(text: str, name: str, choice: Choice) -> Wanted:
    """What a project needs to run, and what the chosen extras and groups add to that.

    :param name: of the file, for messages.
    :raises InputError: the file does not say it, or not by itself; the message says what to do.
    """
    return _Pyproject(parse_toml(text, name), name).wanted(choice)


class _Pyproject:
    """The tables of one file."""

    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        self._name = name
        self._project = self._table(document, "project")
        self._groups = self._table(document, "dependency-groups")
        uv = document.get("tool", {}).get("uv", {}) if isinstance(document.get("tool", {}), dict) else {}
        self._sources = {canonicalize_name(source) for source in uv.get("sources", {})}
        self._poetry = "poetry" in document.get("tool", {})
        extras = self._table(self._project, "optional-dependencies")
        self._extras: dict[str, Any] = {canonicalize_name(extra): lines for extra, lines in extras.items()}

    def wanted(self, choice: Choice) -> Wanted:
        """What it asks for with a choice of extras and groups."""
        lines: list[WantedLine] = []
        if self._project:
            self._refuse_dynamic("dependencies")
            if choice.extras:
                self._refuse_dynamic("optional-dependencies")
            lines += self._lines(self._project.get("dependencies", []), "[project] dependencies", set())
        elif choice.extras or not choice.groups:
            raise InputError(
                f"{self._name} has no [project] table",
                expected="[project] with dependencies (PEP 621)",
                do="export a lock with `poetry export -o lock.txt`, and give that"
                if self._poetry
                else "name a dependency group with --group, or write the table",
            )
        for extra in sorted(choice.extras):
            lines += self._extra(extra, set())
        for group in sorted(choice.groups):
            lines += self._group(group)
        if not lines:
            raise InputError(
                f"{self._name} asks for nothing",
                expected="[project] with dependencies",
                found="none",
                do="name an extra with --extra, or a dependency group with --group",
            )
        self._refuse_sources(lines)
        return Wanted(requirements=tuple(lines))

    def _extra(self, extra: str, open_extras: set[str]) -> list[WantedLine]:
        if extra not in self._extras:
            raise InputError(
                f"{self._name} has no extra {extra}",
                expected=", ".join(sorted(self._extras)) or "[project.optional-dependencies]",
                do="mend --extra",
            )
        if extra in open_extras:
            return []
        place = f"[project.optional-dependencies] {extra}"
        return self._lines(self._extras[extra], place, {*open_extras, extra})

    def _lines(self, texts: Sequence[str], place: str, open_extras: set[str]) -> list[WantedLine]:
        """The lines of a list; one that names the project itself stands for its extras."""
        origin = f"{self._name}, {place}"
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{origin} is no list of requirements", expected='["numpy>=2"]')
        own = canonicalize_name(str(self._project.get("name", "")))
        lines: list[WantedLine] = []
        for text in texts:
            requirement = parse_requirement(text.strip(), origin, git=True)
            if own and canonicalize_name(requirement.name) == own:
                for extra in sorted(map(canonicalize_name, requirement.extras)):
                    lines += self._within(self._extra(extra, open_extras), requirement)
            else:
                lines.append(WantedLine(requirement=requirement, origin=origin))
        return lines

    def _within(self, lines: Sequence[WantedLine], outer: Requirement) -> list[WantedLine]:
        """Lines that hold only where the one that stands for them does."""
        if outer.marker is None:
            return list(lines)
        held = []
        for line in lines:
            inner = Requirement(str(line.requirement))
            inner.marker = outer.marker if inner.marker is None else inner.marker & outer.marker
            held.append(WantedLine(requirement=inner, origin=line.origin))
        return held

    def _group(self, group: str) -> list[WantedLine]:
        origin = f"{self._name}, [dependency-groups] {group}"
        try:
            requirements = DependencyGroupResolver(self._groups).resolve(group)
        except (ExceptionGroup, ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"{origin} can't be read",
                expected="a group that includes others without a circle (PEP 735), one of "
                + (", ".join(sorted(self._groups)) or "[dependency-groups]"),
                found="; ".join(_reasons(error)),
                do="mend --group or the table",
            ) from error
        return [
            WantedLine(requirement=parse_requirement(str(one), origin, git=True), origin=origin)
            for one in requirements
        ]

    def _refuse_dynamic(self, field: str) -> None:
        if field in self._project.get("dynamic", ()):
            raise InputError(
                f"{self._name}: the {field} of the project are dynamic: only its build backend knows them",
                expected=f"[project] {field} in the file",
                do=_LOCK_IT.format(name=self._name),
            )

    def _refuse_sources(self, lines: Sequence[WantedLine]) -> None:
        elsewhere = sorted({line.project for line in lines} & self._sources)
        if elsewhere:
            raise InputError(
                f"{self._name}: [tool.uv.sources] gives another source for {', '.join(elsewhere)}",
                expected="requirements that an index serves, or NAME @ git+https://…@COMMIT",
                do="lock it with `uv lock`, and give uv.lock",
            )

    def _table(self, document: Mapping[str, Any], key: str) -> dict[str, Any]:
        found = document.get(key, {})
        if not isinstance(found, dict):
            raise InputError(f"{self._name}: [{key}] is no table", found=repr(found)[:80])
        return found


def _reasons(error: BaseException) -> list[str]:
    """What went wrong, in its own words; several at once come as a group."""
    if isinstance(error, BaseExceptionGroup):
        return [reason for one in error.exceptions for reason in _reasons(one)]
    return [str(error).strip("'\"")]
