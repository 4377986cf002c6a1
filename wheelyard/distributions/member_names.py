"""The paths of an archive's members: relative, inside the folder, each once."""

from __future__ import annotations

import re

from wheelyard.distributions.refusal import Refusal

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 4096


class MemberNames:
    """Takes the names of one archive, one after the other."""

    def __init__(self, refuse: Refusal) -> None:
        self._refuse = refuse
        self._seen: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str, *, folder: bool) -> None:
        """Note a member's path.

        :raises ForeignOutputRefused: it leaves the folder, is there already, or is file and folder at once.
        """
        check_path(name.removesuffix("/") if folder else name, self._refuse)
        path = name.rstrip("/")
        if path in self._seen or (not folder and path in self._folders):
            raise self._refuse("a member is there twice", "each path once", name)
        parents = _parents(path)
        if any(parent in self._seen and parent not in self._folders for parent in parents):
            raise self._refuse("a member is a file and a folder", "each path once", name)
        self._seen.add(path)
        self._folders.update(parents)
        if folder:
            self._folders.add(path)


class TopFolder:
    """The one folder that an archive consists of.

    :param name: it; empty takes whatever the first member lies in.
    """

    def __init__(self, refuse: Refusal, name: str = "") -> None:
        self._refuse = refuse
        self.name = name

    def check(self, path: str, *, folder: bool) -> None:
        """Let a member pass that is the folder or lies in it.

        :raises ForeignOutputRefused: it is outside.
        """
        top, inside, _ = path.partition("/")
        self.name = self.name or top
        if top != self.name or not (inside or folder):
            raise self._refuse("a member is outside of its folder", f"{self.name}/ (PEP 625)", path)


def check_path(path: str, refuse: Refusal) -> None:
    """Let a path pass that can only lie inside the folder that it is unpacked in.

    :raises ForeignOutputRefused: it is absolute, or has empty parts, `.`, `..`, or odd letters.
    """
    if path.startswith("/") or "\\" in path or _DRIVE.match(path) or ".." in path.split("/"):
        raise refuse("a member leaves the folder", "relative paths without ..", path)
    if not all(part not in ("", ".") for part in path.split("/")):
        raise refuse("a member's path is not a plain one", "no empty parts and no .", path)
    if _CONTROL.search(path) or len(path) > _LONGEST:
        raise refuse("a member's path is not a plain one", "no control characters, not endless", path)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
