"""A file that is in its place only when it is whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(place: Path) -> Iterator[IO[bytes]]:
    """Write a file beside its place, which it takes when the block ends well; else nothing of it stays.

    :param place: in a folder that exists; an older file there is replaced.
    """
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".part-", delete=False) as out:
        part = Path(out.name)
        try:
            yield out
            out.flush()
            part.chmod(0o644)
            part.replace(place)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
