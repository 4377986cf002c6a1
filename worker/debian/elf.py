"""Which libraries the ELF files of a folder load that are not in it."""

from __future__ import annotations

import os
from pathlib import Path

from runtime_images.elf_needs import read_elf


def missing_libraries(root: Path) -> dict[str, str]:
    """Soname to a file that asks for it, of every library that no file in the folder is named after.

    :param root: root of an image.
    """
    names: set[str] = set()
    wanted: dict[str, str] = {}
    for here, _, files in os.walk(root):
        for name in files:
            place = Path(here) / name
            names.add(name)
            if place.is_symlink():
                continue
            with place.open("rb") as stream:
                needs = read_elf(stream)
            for library in needs.needed if needs else ():
                wanted.setdefault(library, str(place.relative_to(root)))
    return {library: user for library, user in wanted.items() if library not in names}
