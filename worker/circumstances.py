"""Where and when a wheel is made, as far as its bytes must not depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What differs between the build of a wheel and the one that verifies it.

    :param root: folder of sources, objects and the wheel in the container.
    :param hostname: of the container.
    :param later: seconds by which its clock goes ahead of ours; 0 leaves it alone.
    :param timezone: its TZ.
    :param umask: of the compile.
    :param more_jobs: parallel jobs beyond those that the worker gives.
    :param compiler_cache: whether what an earlier build compiled is taken.
    """

    root: str = "/build"
    hostname: str = "wheelyard"
    later: int = 0
    timezone: str = "UTC"
    umask: int = 0o022
    more_jobs: int = 0
    compiler_cache: bool = True

    @property
    def are_usual(self) -> bool:
        """Whether they are those of every build."""
        return self == USUAL

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that say them to the tools of a build."""
        # The compiler cache makes paths below its base relative, and the compiler writes them so.
        return {"TZ": self.timezone, "CCACHE_BASEDIR": f"{self.root}/src"}

    def to_document(self) -> dict[str, Any]:
        """The circumstances as JSON-serialisable fields."""
        return asdict(self)


USUAL = Circumstances()
ELSEWHERE = Circumstances(
    root="/elsewhere/and/further/down",
    hostname="another-host",
    # Another year, month, day of the week, hour and minute.
    later=(400 * 24 + 7) * 3600 + 13 * 60 + 17,
    timezone="XYZ-13:30",
    umask=0o077,
    more_jobs=1,
    compiler_cache=False,
)
"""Those of a build that is made to be compared: nothing that a builder does not decide is as it was."""
