"""The files of an image as its layers lie on each other: links followed, owners known, clashes refused."""

from __future__ import annotations

from collections.abc import Iterator

from runtime_images.layer_contents import Entry, LayerContents
from wheelyard.errors import InputError

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MAX_STEPS = 400


class FileTree:
    """The paths of several layers, the upper ones over the lower ones (OCI image layer specification)."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._owners: dict[str, str] = {}
        self._loader_conf: dict[str, str] = {}
        # All in which something lies or once lay, whether a layer has it as a member of its own or not.
        self._folders: set[str] = set()

    def lay(self, contents: LayerContents, owner: str = "") -> None:
        """Lay a layer on top as a container engine would: what it holds wins, its whiteouts delete.

        A file or link hides a folder of its path with all that lies below. What the layer itself holds stays.

        :param owner: whose files these are, where anybody will ask.
        """
        gone, emptied, held = set[str](), set[str](), dict[str, Entry]()
        for path, entry in contents.entries.items():
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                emptied.add(folder)
            elif name.startswith(_WHITEOUT):
                gone.add(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
            else:
                held[path] = entry
                if entry.kind != "folder" and path in self._folders:
                    emptied.add(path)
        if gone or emptied:
            self._remove(gone, emptied)
        for path, entry in held.items():
            self._put(path, entry)
            if owner and entry.kind != "folder":
                self._owners[path] = owner
        self._loader_conf |= contents.loader_conf

    def add(self, contents: LayerContents, owner: str) -> None:
        """Add a layer that must not change anything below it.

        :param owner: whose files these are, for messages: `opencv-python 4.12.0.88`.
        :raises InputError: a path is there already and is not the very same; the message names both owners.
        """
        clashes = [
            path
            for path, entry in contents.entries.items()
            if path in self._entries and not entry.same_as(self._entries[path])
        ]
        if clashes:
            # Bytecode says less than the source beside it.
            path = min(clashes, key=lambda path: (path.endswith(".pyc"), path))
            # A folder is of no layer that was laid: many share it.
            other = self.owner(path) or "a layer below"
            raise InputError(
                f"{other} and {owner} both bring /{path}, and not the same",
                expected="each file from one place",
                found=f"{len(clashes)} paths with different content",
                do="leave one of the two out of the image",
                path=path,
                owners=[other, owner],
            )
        for path, entry in contents.entries.items():
            if path not in self._entries:
                self._put(path, entry)
                self._owners[path] = owner
        self._loader_conf |= contents.loader_conf

    def get(self, path: str) -> Entry | None:
        """What lies at a path itself, no link followed."""
        return self._entries.get(path)

    def owner(self, path: str) -> str:
        """Who brought a path; empty where nobody did."""
        return self._owners.get(path, "")

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Every path and what is there."""
        return iter(self._entries.items())

    @property
    def loader_conf(self) -> dict[str, str]:
        """Path to text of the loader's configuration, as far as it is still there."""
        return {path: text for path, text in self._loader_conf.items() if self._is_file(path)}

    def resolve(self, path: str) -> str | None:
        """The real path of a file or folder, or `None` where it leads nowhere.

        :param path: absolute in the image; a slash at its start and `..` are allowed.
        """
        trail = self.trail(path)
        return trail[-1] if trail else None

    def trail(self, path: str) -> list[str]:
        """Every link that is followed on the way to a path, in order, and the real path at its end.

        Empty where it leads nowhere.
        """
        done: list[str] = []
        ahead = path.split("/")
        links: list[str] = []
        for _ in range(_MAX_STEPS):
            if not ahead:
                real = "/".join(done)
                return [*links, real] if not real or real in self._entries else []
            part, *ahead = ahead
            if part == "..":
                done = done[:-1]
            elif part not in ("", "."):
                here = "/".join([*done, part])
                entry = self._entries.get(here)
                if entry is None or entry.kind != "link":
                    done.append(part)
                    continue
                links.append(here)
                if entry.target.startswith("/"):
                    done = []
                ahead = [*entry.target.split("/"), *ahead]
        return []

    def _is_file(self, path: str) -> bool:
        entry = self._entries.get(path)
        return entry is not None and entry.kind == "file"

    def _put(self, path: str, entry: Entry) -> None:
        self._entries[path] = entry
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]

    def _remove(self, gone: set[str], emptied: set[str]) -> None:
        """Delete paths with all below them, and all below some that stay; goes through the entries once."""
        tops = gone | emptied
        below = {folder for folder in ("", *self._folders) if not tops.isdisjoint(_upwards(folder))}
        for path in list(self._entries):
            if path in gone or path.rpartition("/")[0] in below:
                del self._entries[path]


def _upwards(folder: str) -> Iterator[str]:
    """A folder and all above it, the root (an empty text) at the end."""
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
