"""One project of a lock in TOML, and the refusal of those that the lock has no sdist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.inputs.linux import may_hold_on_linux
from wheelyard.requirements import parse_requirement

_MUST = "the sdist of each project, with its hash: wheels are built from source here"
HOW_TO_LOCK_SDISTS = (
    "lock it again with sdists: `uv lock --no-binary-package NAME` takes a version that has one; `uv lock` "
    "and `pip-compile --generate-hashes` list them unless told --no-build or --only-binary; or leave it out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedProject:
    """One project at one version, as a lock has it.

    :param source: `git+https://…` with its commit; empty for an index's.
    :param marker: where it is needed; None for everywhere.
    :param sdist: digest of its sdist; None where the lock has none.
    :param wheels: whether the lock has wheels of it.
    :param origin: where it stands, for messages: `uv.lock, package numpy`.
    """

    project: str
    version: str
    source: str = ""
    marker: Marker | None = None
    sdist: Digest | None = None
    wheels: bool = False
    origin: str

    @property
    def digests(self) -> frozenset[Digest]:
        """What its sdist may be."""
        return frozenset([self.sdist] if self.sdist else [])

    def requirement(self) -> Requirement:
        """The requirement that it answers.

        :raises InputError: it is none.
        """
        where = f" ; {self.marker}" if self.marker else ""
        text = (
            f"{self.project} @ {self.source}{where}"
            if self.source
            else f"{self.project}=={self.version}{where}"
        )
        try:
            return parse_requirement(str(Requirement(text)), self.origin, git=True)
        except InvalidRequirement as error:
            raise InputError(
                f"{self.origin} can't be read",
                expected="a name and a version (PEP 508, PEP 440)",
                found=text[:200],
            ) from error


def require_sdists(name: str, projects: Sequence[LockedProject]) -> None:
    """Refuse a lock whose hashes are those of wheels for some project that a toolchain may need.

    :param name: of the file.
    :raises InputError: it names them.
    """
    lacking = [one for one in projects if not one.sdist and not one.source and may_hold_on_linux(one.marker)]
    if not lacking:
        return
    shown = ", ".join(f"{one.project} {one.version}" for one in lacking[:8])
    more = f" and {len(lacking) - 8} more" if len(lacking) > 8 else ""
    raise InputError(
        f"{name} has no sdist of {shown}{more}",
        expected=_MUST,
        found="hashes of wheels only" if all(one.wheels for one in lacking) else "no hashes of sdists",
        do=HOW_TO_LOCK_SDISTS,
        projects=[one.project for one in lacking],
    )
