"""What a request asks for, put together from arguments and files of every kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelyard.digests import Digest
from wheelyard.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLine:
    """One requirement, or one constraint.

    :param digests: what its sdist may be; empty where nothing is said of it.
    :param origin: where it stands, for messages: `requirements.txt, line 3`.
    """

    requirement: Requirement
    digests: frozenset[Digest] = frozenset()
    origin: str = ""

    @property
    def project(self) -> str:
        """Canonical name (PEP 503)."""
        return canonicalize_name(self.requirement.name)

    @property
    def is_pinned(self) -> bool:
        """Whether it leaves no choice: one version, or one commit."""
        clauses = list(self.requirement.specifier)
        exact = len(clauses) == 1 and clauses[0].operator in ("==", "===")
        return self.requirement.url is not None or (exact and not clauses[0].version.endswith(".*"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Requirements, and what limits the versions of all that they need."""

    requirements: tuple[WantedLine, ...] = ()
    constraints: tuple[WantedLine, ...] = ()

    @classmethod
    def together(cls, parts: Iterable[Wanted]) -> Wanted:
        """All of several parts; whether they contradict each other is the resolver's to judge."""
        parts = tuple(parts)
        return cls(
            requirements=tuple(line for part in parts for line in part.requirements),
            constraints=tuple(line for part in parts for line in part.constraints),
        )

    @property
    def hashes(self) -> dict[str, tuple[str, ...]]:
        """The digests that each project's sdist may have, by canonical name; sorted."""
        found: dict[str, set[Digest]] = {}
        for line in (*self.requirements, *self.constraints):
            if line.digests:
                found.setdefault(line.project, set()).update(line.digests)
        return {project: tuple(sorted(map(str, found[project]))) for project in sorted(found)}

    def require_lock(self) -> None:
        """Let pass what leaves no choice of a version and of bytes.

        :raises InputError: a requirement is not pinned, or has no hash; the message names the first ones.
        """
        hashed = self.hashes
        open_ones = [
            line
            for line in self.requirements
            if not line.is_pinned or (line.project not in hashed and line.requirement.url is None)
        ]
        if open_ones:
            first = open_ones[0]
            more = f" (and {len(open_ones) - 1} more)" if len(open_ones) > 1 else ""
            raise InputError(
                f"{first.origin}: {first.requirement} is not locked{more}",
                expected=f"{first.requirement.name}==VERSION with --hash=sha256:…, since --locked was given",
                found="no exact version" if not first.is_pinned else "no hash",
                do="lock it with `pip-compile --generate-hashes`, `uv pip compile --generate-hashes` or "
                "`uv lock`, or leave --locked out",
            )


def named(lines: Sequence[WantedLine]) -> str:
    """Names of the projects of some lines, for a message: the first five, and how many more."""
    names = sorted({line.project for line in lines})
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
