"""What ELF files need, read from real ones."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from runtime_images.elf_needs import ElfNeeds, expand_run_path, read_elf


def test_reads_soname_needed_and_run_path(linker):
    body = linker.library("libdemo.so.1", ("libfirst.so.2", "libsecond.so.3"), "$ORIGIN/../libs:/opt/x")
    needs = read_elf(io.BytesIO(body))
    assert needs is not None
    assert needs.machine in ("x86_64", "aarch64")
    assert needs.soname == "libdemo.so.1"
    assert needs.needed == ("libfirst.so.2", "libsecond.so.3")
    assert needs.run_path == ("$ORIGIN/../libs", "/opt/x")


def test_reads_the_older_rpath_too(linker):
    needs = read_elf(io.BytesIO(linker.library("libold.so.1", (), "/opt/old", rpath=True)))
    assert needs is not None
    assert needs.run_path == ("/opt/old",)


def test_reads_a_program_of_this_machine():
    needs = read_elf(io.BytesIO(Path("/bin/ls").read_bytes()))
    assert needs is not None
    assert "libc.so.6" in needs.needed


@pytest.mark.parametrize("body", [b"", b"#!/bin/sh\n", b"\x7fEL", b"\x7fELF", b"\x7fELF" + b"\xff" * 200])
def test_what_no_loader_reads_needs_nothing(body):
    assert read_elf(io.BytesIO(body)) is None


def test_a_file_cut_anywhere_never_raises(linker):
    body = linker.library("libcut.so.1", ("libfirst.so.2",))
    for length in range(0, len(body), 97):
        read_elf(io.BytesIO(body[:length]))


def test_the_tokens_of_a_run_path_are_filled_in():
    needs = ElfNeeds(
        machine="x86_64", run_path=("$ORIGIN/../libs", "${ORIGIN}", "/opt/$LIB", "relative", "/x/$PLATFORM")
    )
    assert expand_run_path(needs, "usr/lib/pkg", {"LIB": "lib/x86_64-linux-gnu"}) == [
        "usr/lib/pkg/../libs",
        "usr/lib/pkg",
        "opt/lib/x86_64-linux-gnu",
    ]


@pytest.mark.parametrize("name", ["libc.musl-x86_64.so.1", "libandroid.so"])
def test_knows_files_for_another_libc(name):
    assert ElfNeeds(machine="x86_64", needed=(name,)).for_other_libc
    assert not ElfNeeds(machine="x86_64", needed=("libc.so.6",)).for_other_libc


def test_survives_its_document():
    needs = ElfNeeds(machine="x86_64", soname="a", needed=("b", "c"), run_path=("/d",))
    assert ElfNeeds.from_document(needs.to_document()) == needs
