"""A zip is read by all readers alike, or it is refused."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest

from tests.distributions import streamed_zip, zipped
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.zip_archive import read_zip
from wheelyard.distributions.zip_bytes import member_pieces
from wheelyard.errors import ForeignOutputRefused

LIMITS = SizeLimits.of(1 << 20)
REFUSE = Refusal("the wheel")
MEMBERS = [("a.py", b"a = 1\n" * 50), ("b/", b""), ("b/c.py", b"c = 2\n")]
# Offsets of fields in the local header, and in the directory's entry.
FIELDS = {
    "flags": (6, 8, 2),
    "method": (8, 10, 2),
    "crc": (14, 16, 4),
    "packed": (18, 20, 4),
    "size": (22, 24, 4),
}


def read(content, limits=LIMITS):
    """Names and bytes, as our reader finds them."""
    stream = io.BytesIO(content)
    members = read_zip(stream, len(content), limits, REFUSE)
    return {one.name: b"".join(member_pieces(stream, one, REFUSE)) for one in members}


def entries(content):
    """Offset of each member's local header and of its entry in the directory, by name."""
    found, at = {}, zipfile.ZipFile(io.BytesIO(content)).start_dir
    while content[at : at + 4] == b"PK\1\2":
        name, extra, comment = struct.unpack_from("<HHH", content, at + 28)
        (offset,) = struct.unpack_from("<I", content, at + 42)
        found[content[at + 46 : at + 46 + name].decode()] = (offset, at)
        at += 46 + name + extra + comment
    return found


def patched(content, offset, value):
    return content[:offset] + value + content[offset + len(value) :]


def refused(content, words, limits=LIMITS):
    with pytest.raises(ForeignOutputRefused) as caught:
        read(content, limits)
    assert words in str(caught.value)


def test_reads_what_zipfile_writes_in_every_manner():
    forced = io.BytesIO()
    with zipfile.ZipFile(forced, "w") as pack, pack.open("big.bin", "w", force_zip64=True) as member:
        member.write(b"x" * 100)
    for content in (zipped(MEMBERS), zipped(MEMBERS, zipfile.ZIP_STORED), streamed_zip(MEMBERS), zipped([])):
        own = read(content)
        assert own == {one: zipfile.ZipFile(io.BytesIO(content)).read(one) for one in own}
        assert list(own) == zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert read(forced.getvalue()) == {"big.bin": b"x" * 100}


@pytest.mark.parametrize("field", sorted(FIELDS))
@pytest.mark.parametrize("streamed", [False, True])
def test_refuses_headers_that_differ(field, streamed):
    content = streamed_zip(MEMBERS) if streamed else zipped(MEMBERS)
    in_local, _, size = FIELDS[field]
    local, _central = entries(content)["a.py"]
    refused(patched(content, local + in_local, (7).to_bytes(size, "little")), "differ")


def test_refuses_another_name_in_the_local_header():
    content = zipped(MEMBERS)
    refused(patched(content, entries(content)["a.py"][0] + 30, b"evil"), "differ")


def test_refuses_a_wrong_data_descriptor():
    content = streamed_zip([("a.py", b"a = 1\n" * 50)])
    at = content.index(b"PK\7\x08")
    for offset in (4, 8, 12):
        refused(patched(content, at + offset, b"\1\2"), "data descriptor")
    refused(content[:at] + content[at + 4 :], "")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda content: content + b"x", "bytes after its end"),
        (lambda content: content + b"\0" * 70_000, "can't be read"),
        (lambda content: b"#!/bin/sh\n" + content, "bytes before its first member"),
        (lambda content: content + content, "bytes before its first member"),
        (lambda content: content[:-22], "can't be read"),
        (lambda content: content[:-1], "bytes after its end"),
        (lambda content: content[10:], ""),
        (lambda _content: b"", "can't be read"),
        (lambda content: patched(content, len(content) - 2, b"\1\0"), "plain one"),
        (lambda content: patched(content, len(content) - 12, b"\4\0\4\0"), ""),
        (lambda content: patched(content, len(content) - 14, b"\2\0\2\0"), "number of members"),
        (lambda content: patched(content, len(content) - 18, b"\1\0"), "plain one"),
    ],
)
def test_refuses_bytes_outside_and_ends_that_lie(make, words):
    refused(make(zipped(MEMBERS)), words)


def test_refuses_a_prefix_that_the_offsets_know_of():
    target = io.BytesIO(b"#!/usr/bin/env python3\n")
    target.seek(0, io.SEEK_END)
    with zipfile.ZipFile(target, "a") as pack:
        pack.writestr("a.py", b"a = 1\n")
    refused(target.getvalue(), "bytes before its first member")


def test_refuses_a_comment():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as pack:
        pack.writestr("a.py", b"a = 1\n")
        pack.comment = b"hello"
    refused(target.getvalue(), "bytes after its end")


def test_refuses_bytes_between_members():
    content = zipped(MEMBERS)
    places = entries(content)
    gap, at = b"hidden", places["b/c.py"][0]
    content = content[:at] + gap + content[at:]
    content = patched(content, places["b/c.py"][1] + 6 + 42, struct.pack("<I", at + 6))
    end = len(content) - 22
    (start,) = struct.unpack_from("<I", content, end + 16)
    refused(patched(content, end + 16, struct.pack("<I", start + 6)), "bytes between its members")


def test_refuses_members_that_overlap():
    """The bomb that packs one kernel for many members: each entry points at the same bytes."""
    content = zipped([("a.py", b"a" * 100), ("b.py", b"a" * 100)])
    second = entries(content)["b.py"][1]
    refused(patched(content, second + 42, struct.pack("<I", 0)), "overlap")


def test_refuses_an_end_in_zip64_that_differs_from_the_classic_one():
    content = zipped(MEMBERS)
    end = len(content) - 22
    _, _, _, _, number, size, offset, _ = struct.unpack("<4sHHHHIIH", content[end:])
    for lie in (0, 1):
        wide = struct.pack(
            "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, number - lie, number - lie, size, offset
        )
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
        whole = content[:end] + wide + locator + content[end:]
        if lie:
            refused(whole, "two ends differ")
        else:
            assert list(read(whole)) == ["a.py", "b/", "b/c.py"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../a.py", "leaves the folder"), ("/a.py", "leaves the folder"), ("C:/a.py", "leaves the folder"),
        ("a/../../b", "leaves the folder"), ("a\\b", "leaves the folder"), ("a//b", "plain one"),
        ("./a", "plain one"), ("a/.", "plain one"), ("a\nb", "plain one"), ("", "plain one"),
        ("x" * 5000, "plain one"),
    ],
)  # fmt: skip
def test_refuses_paths_that_are_not_plain(name, words):
    info = zipfile.ZipInfo("x")
    info.filename = name
    refused(zipped([(info, b"x")]), words)


def test_refuses_a_nul_in_a_name():
    refused(zipped([("a.py", b"x")]).replace(b"a.py", b"a\0py"), "plain one")


def test_refuses_names_that_meet():
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zipped([("a", b"1"), ("a", b"2")])
    refused(content, "twice")
    refused(zipped([("a", b"1"), ("a/b", b"2")]), "file and a folder")
    refused(zipped([("a/b", b"1"), ("a", b"2")]), "twice")
    refused(zipped([("a/", b""), ("a", b"2")]), "twice")


def test_refuses_names_that_are_not_utf8():
    refused(zipped([("é.py", b"x")]).replace("é".encode(), b"\xff\xfe"), "can't be read")
    content = zipped([("é.py", b"x")])
    unmarked = content.replace(b"\x00\x08\x08", b"\x00\x00\x08")
    assert unmarked != content
    refused(unmarked, "can't be read")


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010666, 0o140777, 0o040755])
def test_refuses_what_is_no_plain_file(mode):
    info = zipfile.ZipInfo("link")
    info.external_attr = mode << 16
    refused(zipped([(info, b"/etc/passwd")]), "symbolic link" if mode == 0o120777 else "no plain file")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_refuses_methods_that_not_every_installer_knows(method):
    refused(zipped(MEMBERS, method), "not every installer")


def test_refuses_a_version_of_the_format_that_no_installer_knows():
    content = zipped([("a.py", b"x" * 40)])
    local, central = entries(content)["a.py"]
    for at in (local + 4, central + 6):
        refused(patched(content, at, b"\xc8"), "version 200")


def test_refuses_encryption_and_a_second_name():
    content = zipped([("a.py", b"x" * 40)])
    local, central = entries(content)["a.py"]
    refused(patched(patched(content, local + 6, b"\1"), central + 8, b"\1"), "not encrypted")
    info = zipfile.ZipInfo("a.py")
    info.extra = struct.pack("<HH5s", 0x7075, 5, b"\1\0\0\0\0")
    refused(zipped([(info, b"x")]), "two names")


def test_refuses_a_stored_member_with_its_size_behind_it():
    content = zipped([("a.py", b"x" * 40)], zipfile.ZIP_STORED)
    local, central = entries(content)["a.py"]
    refused(patched(patched(content, local + 6, b"\x08"), central + 8, b"\x08"), "only behind it")


def test_refuses_bytes_behind_a_members_deflated_end():
    content = zipped([("a.py", b"x" * 4000)])
    local, central = entries(content)["a.py"]
    (packed,) = struct.unpack_from("<I", content, local + 18)
    at = local + 34 + packed
    longer = struct.pack("<I", packed + 6)
    content = patched(patched(content, local + 18, longer), central + 20, longer)
    content = content[:at] + b"hidden" + content[at:]
    (start,) = struct.unpack_from("<I", content, len(content) - 6)
    refused(patched(content, len(content) - 6, struct.pack("<I", start + 6)), "bytes behind its end")


@pytest.mark.parametrize("claimed", [100, 5000])
def test_refuses_a_size_that_is_not_the_members(claimed):
    content = zipped([("a.py", b"x" * 4000)])
    local, central = entries(content)["a.py"]
    size = struct.pack("<I", claimed)
    refused(patched(patched(content, local + 22, size), central + 24, size), "header")


def test_refuses_bombs_without_unpacking_them():
    limits = SizeLimits(packed=64 << 20, unpacked=100 << 20)
    one = zipped([("zeros", b"\0" * (20 << 20))])
    many = zipped([(f"zeros-{number}", b"\0" * (3 << 20)) for number in range(30)])
    wide = zipped([(f"noise-{number}", bytes(range(256)) * 8000 + b"\0" * 100_000) for number in range(60)])
    tracemalloc.start()
    refused(one, "compression bomb", limits)
    refused(many, "compression bomb", limits)
    refused(wide, "too large unpacked", limits)
    refused(zipped([(f"{number}", b"") for number in range(200)]), "too many members", SizeLimits(
        packed=1 << 20, unpacked=1 << 20, members=100
    ))  # fmt: skip
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_refuses_a_member_that_unpacks_to_more_than_it_says_within_bounded_memory():
    content = zipped([("zeros", b"\0" * (64 << 20))])
    local, central = entries(content)["zeros"]
    size = struct.pack("<I", 1000)
    content = patched(patched(content, local + 22, size), central + 24, size)
    tracemalloc.start()
    refused(content, "larger than its header says")
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
