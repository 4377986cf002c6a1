"""Which loader a program names, read out of the program itself."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from worker.inside.smoke_programs import loader_of, start_problem

PYTHON = Path(sys.executable).resolve()


@pytest.fixture
def program(tmp_path):
    """A copy of the interpreter that runs this, and the place of its row of PT_INTERP."""
    copy = tmp_path / "python"
    copy.write_bytes(PYTHON.read_bytes())
    copy.chmod(0o755)
    with copy.open("rb") as stream:
        elf = ELFFile(stream)
        row = next(at for at, one in enumerate(elf.iter_segments()) if one["p_type"] == "PT_INTERP")
        return copy, elf["e_phoff"] + row * elf["e_phentsize"]


def test_reads_what_an_elf_reader_reads(program):
    copy, _ = program
    with copy.open("rb") as stream:
        named = [one for one in ELFFile(stream).iter_segments() if one["p_type"] == "PT_INTERP"]
        assert loader_of(copy) == named[0].get_interp_name()
    assert start_problem(copy) == ""


def test_bytes_before_the_name_are_no_part_of_it(program):
    """As in programs of Debian 13, where no zero byte stands before it."""
    copy, row = program
    body = bytearray(copy.read_bytes())
    name = b"/lib64/ld-lost.so.9\0"
    struct.pack_into("<Q", body, row + 8, len(body) + 2)
    struct.pack_into("<Q", body, row + 32, len(name))
    copy.write_bytes(bytes(body) + b"\xf3\xa5" + name + b"\xff")
    assert loader_of(copy) == "/lib64/ld-lost.so.9"
    assert start_problem(copy) == "its loader /lib64/ld-lost.so.9 is not in the image"


def test_a_static_program_names_none(program):
    copy, row = program
    body = bytearray(copy.read_bytes())
    struct.pack_into("<I", body, row, 0)
    copy.write_bytes(body)
    assert (loader_of(copy), start_problem(copy)) == ("", "")


@pytest.mark.parametrize("body", [b"\x7fELF", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 80])
def test_what_ends_early_or_lies_names_none(tmp_path, body):
    place = tmp_path / "cut"
    place.write_bytes(body)
    assert loader_of(place) == ""
