"""The shared libraries that a wheel leaves to the system, by soname."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

_MAX_ELF_BYTES = 1 << 30


def external_libraries(wheel: Path) -> tuple[str, ...]:
    """Sonames that the ELF files of a wheel need and the wheel does not bring, sorted."""
    needed: set[str] = set()
    brought: set[str] = set()
    with zipfile.ZipFile(wheel) as pack:
        for member in pack.infolist():
            with pack.open(member) as stream:
                if stream.read(4) != b"\x7fELF" or member.file_size > _MAX_ELF_BYTES:
                    continue
            brought.add(PurePosixPath(member.filename).name)
            needed |= needed_sonames(pack.read(member))
    return tuple(sorted(needed - brought))


def needed_sonames(content: bytes) -> set[str]:
    """DT_NEEDED entries of one ELF file; an empty set where it is damaged or static."""
    try:
        dynamic = ELFFile(io.BytesIO(content)).get_section_by_name(".dynamic")
        if dynamic is None:
            return set()
        return {tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
    except (ELFError, AttributeError):
        return set()
