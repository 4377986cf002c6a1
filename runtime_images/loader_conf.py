"""The dynamic loader's configuration, `/etc/ld.so.conf` and what it includes, as ldconfig(8) reads it."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Mapping

from runtime_images.layer_contents import LOADER_CONF

_DEEPEST = 10


def configured_folders(conf: Mapping[str, str]) -> Iterator[str]:
    """The folders that a configuration names, in its order, without a slash at their start.

    A file that is included where none lies is passed over, as ldconfig does.

    :param conf: path to text, of the configuration's files.
    """
    yield from _folders_of(conf, LOADER_CONF, 0)


def _folders_of(conf: Mapping[str, str], path: str, depth: int) -> Iterator[str]:
    for line in conf[path].splitlines():
        text = line.partition("#")[0].strip()
        word, _, rest = text.partition(" ")
        if word == "include":
            for pattern in rest.split() if depth < _DEEPEST else ():
                full = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), pattern))
                for other in sorted(fnmatch.filter(conf, full.lstrip("/"))):
                    yield from _folders_of(conf, other, depth + 1)
        elif text.startswith("/"):
            # What an old kind of library is for, `/lib=libc5`, is said behind the name.
            yield posixpath.normpath(text.partition("=")[0].strip()).lstrip("/")
