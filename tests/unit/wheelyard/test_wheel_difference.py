"""The comparison of a published wheel with the same one built again: which members differ, and how."""

import json
import struct
import zipfile

import pytest

from tests.distributions import wheel_members, zipped
from wheelyard.elf_sections import elf_sections
from wheelyard.wheel_difference import How, WheelDifference, compare_wheels

NAME = "demo-1.0-py3-none-any.whl"


def elf(**sections: bytes) -> bytes:
    """A 64-bit little-endian ELF file of nothing but sections; `_` in a name stands for a dot."""
    names, contents = b"\0", b""
    headers = [struct.pack("<IIQQQQIIQQ", *[0] * 10)]
    for name, content in [*sections.items(), ("_shstrtab", b"")]:
        at, named = 64 + len(contents), len(names)
        names += name.replace("_", ".").encode() + b"\0"
        body = names if name == "_shstrtab" else content
        headers.append(struct.pack("<IIQQQQIIQQ", named, 1, 0, 0, at, len(body), 0, 0, 1, 0))
        contents += body
    start = struct.pack(
        "<4sBB10xHHIQQQIHHHHHH",
        b"\x7fELF", 2, 1, 3, 62, 1, 0, 0, 64 + len(contents), 0, 64, 0, 0, 64, len(headers), len(headers) - 1,
    )  # fmt: skip
    return start + contents + b"".join(headers)


@pytest.fixture
def compared(tmp_path):
    """Compares two wheels of given bytes or members."""

    def compare(published, rebuilt, names=(NAME, NAME)):
        paths = []
        for folder, content, name in zip("ab", (published, rebuilt), names, strict=True):
            place = tmp_path / folder / name
            place.parent.mkdir()
            place.write_bytes(content if isinstance(content, bytes) else zipped(content.items()))
            paths.append(place)
        return compare_wheels(*paths)

    return compare


def members(**more: bytes) -> dict[str, bytes]:
    return wheel_members(members={name.replace("__", "."): content for name, content in more.items()})


def test_the_same_bytes_are_equal(compared):
    found = compared(members(), members())
    assert found.equal
    assert (found.members, found.archive) == ((), ())


def test_a_text_that_differs_is_shown_by_its_lines(compared):
    found = compared(
        members(made__py=b"x = 1\nDAY = 'monday'\n"), members(made__py=b"x = 1\nDAY = 'sunday'\n")
    )
    assert not found.equal
    made = next(member for member in found.members if member.name == "made.py")
    assert (made.how, made.sizes, made.offset) == (How.BYTES, (21, 21), 13)
    assert made.lines == ("@@ -2 +2 @@", "-DAY = 'monday'", "+DAY = 'sunday'")
    # RECORD has every member's digest, so it differs, too.
    assert [member.name for member in found.members] == ["demo-1.0.dist-info/RECORD", "made.py"]


def test_the_sections_that_differ_in_an_extension_are_named_with_their_first_byte(compared):
    bodies = [
        elf(_text=b"code", _rodata=b"built at /build/src", _note=b"1"),
        elf(_text=b"code", _rodata=b"built at /other/src", _note=b"2"),
    ]
    found = compared(members(demo__so=bodies[0]), members(demo__so=bodies[1]))
    made = next(member for member in found.members if member.name == "demo.so")
    assert made.sections == (".rodata", ".note")
    assert made.offset == bodies[0].index(b"/build") + 1
    assert bytes.fromhex(made.published).startswith(b"build/src")
    assert bytes.fromhex(made.rebuilt).startswith(b"other/src")
    assert "built at /build/src" in made.text[0]
    assert "built at /other/src" in made.text[1]
    assert made.lines == ()


def test_a_member_of_one_wheel_only_is_named(compared):
    found = compared(members(old__py=b"1"), members(new__py=b"22"))
    hows = {member.name: (member.how, member.sizes) for member in found.members}
    assert hows["old.py"] == (How.PUBLISHED_ONLY, (1, 0))
    assert hows["new.py"] == (How.REBUILT_ONLY, (0, 2))


def test_a_member_that_is_only_longer_differs_where_the_other_ends(compared):
    found = compared(members(data__bin=b"\0same"), members(data__bin=b"\0same and more"))
    made = next(member for member in found.members if member.name == "data.bin")
    assert (made.offset, made.published, made.rebuilt) == (5, "", b" and more".hex())


def test_equal_members_in_another_archive_are_told_by_time_mode_and_order(compared):
    plain = members()
    other = []
    for name, content in reversed(plain.items()):
        info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
        info.external_attr = 0o100600 << 16
        other.append((info, content))
    found = compared(plain, zipped(other))
    assert not found.equal
    assert found.members == ()
    assert found.archive[0] == "the members are in another order"
    assert "demo/__init__.py: its time is 1980-01-01 00:00:00, rebuilt 2026-01-02 03:04:06" in found.archive
    assert any("its mode is" in line and "100600" in line for line in found.archive)


def test_another_packing_of_the_same_members_is_said(compared):
    plain = members(big__txt=b"a" * 10_000)
    found = compared(plain, zipped(plain.items(), zipfile.ZIP_STORED))
    assert found.archive == ("every member is the same, and they are packed in another way",)


def test_another_name_of_the_same_bytes_is_not_equal(compared):
    assert not compared(members(), members(), (NAME, NAME.replace("1.0", "1.0-1"))).equal


def test_the_number_of_members_in_a_report_is_bounded(compared):
    many = {f"part_{number}.bin": b"\0a" for number in range(300)}
    found = compared(wheel_members(members=many), wheel_members(members=dict.fromkeys(many, b"\0b")))
    assert (len(found.members), found.more) == (200, 101)


def test_a_long_diff_and_a_long_line_are_cut(compared):
    left = "\n".join(f"{number} {'x' * 300}" for number in range(100)).encode()
    found = compared(members(long__py=left), members(long__py=left.replace(b"x", b"y")))
    made = next(member for member in found.members if member.name == "long.py")
    assert len(made.lines) == 41
    assert max(map(len, made.lines)) < 210


def test_a_report_survives_json(compared):
    found = compared(members(made__py=b"a"), members(made__py=b"b"))
    document = json.loads(json.dumps(found.to_document()))
    assert document.pop("equal") is False
    assert WheelDifference.from_document(document) == found


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 200, elf(_text=b"code")[:-70],
        b"\x7fELF\2\1" + b"\0" * 34 + b"\xff" * 24,
    ],
)  # fmt: skip
def test_a_broken_elf_file_has_no_sections_and_does_no_harm(body):
    assert elf_sections(body) == {}


def test_sections_of_one_name_are_told_apart():
    body = elf(_text=b"one").replace(b".shstrtab", b".text\0\0\0\0")
    assert list(elf_sections(body)) == [".text", ".text#2"]
