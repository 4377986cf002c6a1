"""Which Debian package brings a file: the archive's own Contents lists, fetched once and kept for a week."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from wheelyard.errors import InfrastructureError
from wheelyard.process import run_command
from worker.debian.known_parts import known_package

_FETCH_SECONDS = 120.0
_KEPT_SECONDS = 7 * 24 * 3600
# Machine-dependent headers and libraries first: that list is a third of the other's size.
_LISTS = ("Contents-amd64.gz", "Contents-all.gz")
MOST = 3
_LIBRARY_FOLDER = re.compile(r"(usr/)?lib/")


def paths_of(kind: str, name: str) -> re.Pattern[str]:
    """Where a missing part would lie in Debian, as a pattern over whole paths.

    :param kind: as `worker.missing_part.MissingPart` has it; no module of Python's.
    """
    part = re.escape(name)
    patterns = {
        "header": rf"usr/include/(.*/)?{part}",
        "library": rf"(usr/)?lib/(.*/)?lib{part}\.(so|a)",
        "pkg-config": rf"usr/(lib|share)/(.*/)?pkgconfig/{part}\.pc",
        "cmake": rf"usr/(lib|share)/(.*/)?({part}Config|{re.escape(name.lower())}-config)\.cmake",
        "program": rf"(usr/)?s?bin/{part}",
    }
    return re.compile(patterns[kind])


class DebianContents:
    """Looks files up in one release's Contents lists.

    :param mirror: address of the archive, without a slash at its end.
    :param suite: for instance `bookworm`.
    :param folder: where the lists are kept.
    """

    def __init__(self, mirror: str, suite: str, folder: Path) -> None:
        self._mirror = mirror
        self._suite = suite
        self._folder = folder

    def packages(self, kind: str, name: str) -> tuple[str, ...]:
        """Packages that bring a missing part, the likeliest first, at most three.

        :raises InfrastructureError: the lists can't be had.
        """
        if known := known_package(kind, name):
            return (known,)
        pattern = paths_of(kind, name)
        for listing in _LISTS:
            found = {
                (path.count("/"), not package.endswith("-dev"), package)
                for path, package in self._lines(listing, name)
                if pattern.fullmatch(path)
            }
            if found:
                return tuple(dict.fromkeys(package for _, _, package in sorted(found)))[:MOST]
        return ()

    def library_packages(self, sonames: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Packages that bring shared libraries, by soname, the likeliest first; unknown ones are left out.

        :param sonames: file names such as `libGL.so.1`, all looked for in one pass.
        :raises InfrastructureError: the list can't be had.
        """
        found: dict[str, set[tuple[int, str]]] = {}
        with gzip.open(self._fetched(_LISTS[0]), "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                path, _, packages = line.rstrip().rpartition(" ")
                name = path.rstrip().rpartition("/")[2]
                if name in sonames and _LIBRARY_FOLDER.match(path):
                    # The nearer to the folders that the loader searches, the likelier; a plugin lies deeper.
                    depth = path.removeprefix("usr/").count("/")
                    for package in packages.split(","):
                        found.setdefault(name, set()).add((depth, package.rpartition("/")[2]))
        return {
            name: tuple(dict.fromkeys(package for _, package in sorted(rows))) for name, rows in found.items()
        }

    def _lines(self, listing: str, name: str) -> Iterator[tuple[str, str]]:
        low = f"{name.lower()}-config.cmake"
        with gzip.open(self._fetched(listing), "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if name in line or low in line:
                    path, _, packages = line.rstrip().rpartition(" ")
                    for package in packages.split(","):
                        yield path.rstrip(), package.rpartition("/")[2]

    def _fetched(self, listing: str) -> Path:
        place = self._folder / f"{self._suite}-{listing}"
        if place.is_file() and time.time() - place.stat().st_mtime < _KEPT_SECONDS:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        # apt's own downloader, so that apt's proxies, certificates and transports count here as well.
        address = f"{self._mirror}/dists/{self._suite}/main/{listing}"
        run_command(
            ["/usr/lib/apt/apt-helper", "download-file", address, str(part)],
            timeout=_FETCH_SECONDS,
            failure=InfrastructureError,
        )
        part.replace(place)
        return place
