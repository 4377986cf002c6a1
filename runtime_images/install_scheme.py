"""Where an image's Python lies and where it looks for what is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wheelyard.digests import key_of
from wheelyard.errors import InputError

_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._+-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallScheme:
    """What of a base's Python a filled wheel layer depends on.

    :param python: the interpreter's path in the image, which scripts begin with.
    :param site: folder of both pure and compiled packages, `PREFIX/lib/pythonX.Y/site-packages`; empty for
        where the toolchain's own Python has them, which is the case of the toolchain's own bases.
    :raises InputError: one of them is no plain absolute path, or the folder is not of that shape.
    """

    python: str = "/usr/bin/python3"
    site: str = ""

    def __post_init__(self) -> None:
        for path in (self.python, self.site or self.python):
            if not _PATH.fullmatch(path):
                raise InputError("a base's Python has a path that can't be used", found=repr(path[:200]))
        if self.site and not re.fullmatch(r".+/lib/python\d\.\d+/[a-z]+-packages", self.site):
            raise InputError(
                "a base's Python looks for packages in a folder that wheels can't be laid into",
                expected="PREFIX/lib/pythonX.Y/site-packages",
                found=self.site,
            )

    @property
    def place(self) -> str:
        """The folder that everything of a wheel lies in, without a slash at its start."""
        return self.site.strip("/").rsplit("/lib/", 1)[0] if self.site else "usr/local"

    @property
    def suffix(self) -> str:
        """What tells layers of this scheme from others by name; empty for the toolchain's own bases."""
        return f"-{key_of(self.to_document())[:16]}" if self.site else ""

    def to_document(self) -> dict[str, str]:
        """The scheme as JSON-serialisable fields."""
        return {"python": self.python, "site": self.site}


OWN_SCHEME = InstallScheme()
"""Of the bases that Debian toolchains have."""
