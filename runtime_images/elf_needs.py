"""What one ELF file needs: its NEEDED entries, its run path and the name that it goes by (gABI, ld.so(8))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"
_OTHER_LIBC = frozenset({"libc.so", "libandroid.so"})
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfNeeds:
    """The dynamic section of one ELF file, as far as the loader's search is concerned.

    :param machine: `x86_64`, `aarch64`, or ELF's own word for another one; `-32` at its end for 32 bits.
    :param soname: DT_SONAME; empty where there is none.
    :param needed: DT_NEEDED, in order.
    :param run_path: folders of DT_RUNPATH, or of DT_RPATH where there is no RUNPATH; `$ORIGIN` as written.
    """

    machine: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    run_path: tuple[str, ...] = ()

    @property
    def for_other_libc(self) -> bool:
        """Whether it is linked against musl or Android's libc, and so can never run on a glibc base."""
        return any(name.startswith("libc.musl-") or name in _OTHER_LIBC for name in self.needed)

    def to_document(self) -> list[Any]:
        """The needs as a JSON-serialisable row."""
        return [self.machine, self.soname, list(self.needed), list(self.run_path)]

    @classmethod
    def from_document(cls, row: list[Any]) -> ElfNeeds:
        """Inverse of `to_document`."""
        return cls(machine=row[0], soname=row[1], needed=tuple(row[2]), run_path=tuple(row[3]))


def read_elf(stream: IO[bytes]) -> ElfNeeds | None:
    """Read a file's dynamic section; `None` where it is no ELF file, or one that no loader could read.

    :param stream: seekable; left at an unknown place.
    """
    stream.seek(0)
    if stream.read(4) != MAGIC:
        return None
    try:
        return _read(ELFFile(stream))
    except Exception:  # noqa: BLE001  # a parser of foreign bytes fails in any way; the loader fails on them too
        return None


def _read(elf: ELFFile) -> ElfNeeds:
    machine = _MACHINES.get(elf["e_machine"], str(elf["e_machine"]))
    if elf.elfclass != 64:
        machine += "-32"
    soname, needed, rpath, runpath = "", [], "", ""
    for segment in elf.iter_segments(type="PT_DYNAMIC"):
        dynamic: Any = segment
        for tag in dynamic.iter_tags():
            if tag.entry.d_tag == "DT_NEEDED":
                needed.append(tag.needed)
            elif tag.entry.d_tag == "DT_SONAME":
                soname = tag.soname
            elif tag.entry.d_tag == "DT_RPATH":
                rpath = tag.rpath
            elif tag.entry.d_tag == "DT_RUNPATH":
                runpath = tag.runpath
    folders = tuple(folder for folder in (runpath or rpath).split(":") if folder)
    return ElfNeeds(machine=machine, soname=soname, needed=tuple(needed), run_path=folders)


def expand_run_path(needs: ElfNeeds, folder: str, substitutes: Mapping[str, str]) -> list[str]:
    """The folders of a run path, with the loader's tokens filled in.

    :param folder: of the file that has it, without a slash at its start; becomes `$ORIGIN`.
    :param substitutes: for `LIB` and `PLATFORM`; an entry with a token that is not there is passed over.
    :returns: paths in the image, which may still hold `..`.
    """
    values = {"ORIGIN": "/" + folder, **substitutes}
    found = []
    for entry in needs.run_path:
        text = entry
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
        if text.startswith("/") and "$" not in text:
            found.append(text.lstrip("/"))
    return found
