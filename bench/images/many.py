"""Many images of the same wheels, each a choice of its own."""

from __future__ import annotations

import time
from pathlib import Path

from bench.images.figures import Figure, kilobytes
from bench.images.made_projects import name_of, write_projects
from bench.images.ours import Ours

IMAGES = 100
_MADE, _IN_ONE = 40, 30
_AIM = 1.0


def measure_many(own: Ours, folder: Path, count: int) -> list[Figure]:
    """Many images of the same wheels, each a choice of its own."""
    names = [name_of(number) for number in range(_MADE)]
    own.upload(write_projects(folder / "sdists", _MADE))
    own.build(names)
    before = own.bucket.content()
    began = time.monotonic()
    whole = 0
    for number in range(count):
        # Each leaves out ten in a row, from another place on: 40 choices, and then other ones.
        step = 1 + number // _MADE
        left_out = {(number + step * one) % _MADE for one in range(_MADE - _IN_ONE)}
        chosen = [name for place, name in enumerate(names) if place not in left_out]
        whole += own.image(chosen).image.size
    seconds = time.monotonic() - began
    blobs, documents = own.bucket.added_bytes(before, own.bucket.content())
    return [
        Figure(what=f"{count} images of {_IN_ONE} wheels, in a row", value=round(seconds, 2), unit="s"),
        Figure(what="  for each", value=round(seconds / count, 3), unit="s", aim=_AIM),
        kilobytes("  bytes that they are together", whole),
        kilobytes("  blobs that they added to the store", blobs),
        kilobytes("  documents that they added there", documents),
    ]  # fmt: skip
