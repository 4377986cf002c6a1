"""What this machine has pushed where: a registry can take a blob from there instead of having it sent."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wheelyard.digests import Digest

_MOST = 5000
_MOST_SOURCES = 4


class KnownPlaces:
    """Blobs and the repositories that they were pushed into: a memory, and no truth.

    :param path: the file that it is kept in; one that can't be read or written is as good as none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, list[str]] = {}
        with suppress(OSError, ValueError, TypeError):
            kept = json.loads(path.read_bytes())
            self._kept = {str(key): [str(place) for place in places] for key, places in kept.items()}

    def sources(self, registry: str, repository: str, digests: Iterable[Digest]) -> tuple[str, ...]:
        """Repositories of a registry that hold the most of these blobs, but for the one that they go to."""
        counts: dict[str, int] = {}
        for digest in digests:
            for place in self._kept.get(f"{registry} {digest}", ()):
                counts[place] = counts.get(place, 0) + 1
        counts.pop(repository, None)
        return tuple(sorted(counts, key=lambda place: (-counts[place], place))[:_MOST_SOURCES])

    def have(self, registry: str, repository: str, digest: Digest) -> bool:
        """Whether a blob was pushed into that repository."""
        return repository in self._kept.get(f"{registry} {digest}", ())

    def note(self, registry: str, repository: str, digests: Iterable[Digest]) -> None:
        """Keep that a repository holds these blobs; the oldest ones are forgotten."""
        for digest in digests:
            key = f"{registry} {digest}"
            places = self._kept.pop(key, [])
            self._kept[key] = [repository, *(place for place in places if place != repository)][
                :_MOST_SOURCES
            ]
        kept = dict(list(self._kept.items())[-_MOST:])
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix=".part-", delete=False
            ) as part:
                json.dump(kept, part)
            Path(part.name).replace(self._path)
