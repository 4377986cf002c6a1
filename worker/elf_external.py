"""The shared libraries that a wheel leaves to the system, by soname."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

from runtime_images.elf_needs import MAGIC, read_elf


def external_libraries(wheel: Path) -> tuple[str, ...]:
    """Sonames that the ELF files of a wheel need and the wheel does not bring, sorted."""
    needed: set[str] = set()
    brought: set[str] = set()
    with zipfile.ZipFile(wheel) as pack:
        for member in pack.infolist():
            with pack.open(member) as stream:
                if stream.read(len(MAGIC)) != MAGIC:
                    continue
            brought.add(PurePosixPath(member.filename).name)
            if (needs := read_elf(io.BytesIO(pack.read(member)))) is not None:
                needed.update(needs.needed)
    return tuple(sorted(needed - brought))
