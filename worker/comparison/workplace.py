"""Where one comparison works: a folder with a lock, so that what a killed one left behind is found."""

from __future__ import annotations

import fcntl
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOCK = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The folder of one comparison.

    :param run: id of the comparison, which its images carry.
    """

    run: str
    folder: Path


@contextmanager
def open_workplace(place: Path) -> Iterator[Workplace]:
    """A new folder, gone at the end.

    :param place: folder of all comparisons of this machine.
    """
    run = secrets.token_hex(6)
    folder = place / run
    folder.mkdir(parents=True, mode=0o755)
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield Workplace(run=run, folder=folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(place: Path, clear: Callable[[str], bool]) -> None:
    """Clear up after comparisons that were killed.

    :param place: as for `open_workplace`.
    :param clear: is given a comparison's id and says whether nothing of it is left; where something is, since
        the engine still builds for it, the folder stays for another time.
    """
    for folder in sorted(place.iterdir()) if place.is_dir() else ():
        try:
            lock = (folder / _LOCK).open("r+")
        except OSError:
            # One that begins has no lock yet, or one that ends has none any more.
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if clear(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
