"""Many images over the same wheels: what each of them costs in time and in the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.images.figures import Figure, kilobytes
from bench.images.made_projects import name_of, write_projects
from bench.images.ours import Ours

IMAGES = 100
_MADE, _IN_ONE, _SETS = 40, 30, 10
_AIM = 1.0


def measure_many(own: Ours, folder: Path, count: int) -> list[Figure]:
    """Images over shared wheels, one after the other: time, and what they add to the store.

    There are ten sets of wheels. Each is asked for once before the clock starts, so its lock is known and
    its layers are there: what is measured is assembly. No two images are equal.
    """
    names = [name_of(number) for number in range(_MADE)]
    own.upload(write_projects(folder / "sdists", _MADE))
    own.build(names)
    sets = [_without(names, first) for first in range(0, _MADE, _MADE // _SETS)]
    for chosen in sets:
        own.image(chosen)
    before = own.bucket.content()
    began = time.monotonic()
    whole = sum(own.image(sets[number % _SETS]).image.size for number in range(count))
    seconds = time.monotonic() - began
    blobs, documents = own.bucket.added_bytes(before, own.bucket.content())
    return [
        Figure(what=f"{count} images of {_IN_ONE} wheels, in a row", value=round(seconds, 2), unit="s"),
        Figure(what="  for each", value=round(seconds / count, 3), unit="s", aim=_AIM),
        kilobytes("  bytes that they are together", whole),
        kilobytes("  blobs that they added to the store", blobs),
        kilobytes("  documents that they added there", documents),
    ]


def _without(names: Sequence[str], first: int) -> list[str]:
    """All but ten of the names, in a row from one on and around the end."""
    left_out = {(first + further) % len(names) for further in range(_MADE - _IN_ONE)}
    return [name for place, name in enumerate(names) if place not in left_out]
