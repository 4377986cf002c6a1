"""A good wheel with something changed: refused, or the same to every reader. Nothing crashes."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from installer.sources import WheelFile as InstallerWheel

from tests.distributions import streamed_zip, wheel_members, zipped
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.wheel_file import check_wheel_file
from wheelyard.distributions.zip_archive import read_zip
from wheelyard.distributions.zip_bytes import member_pieces
from wheelyard.errors import ForeignOutputRefused

MEMBERS = list(wheel_members(members={"demo/é.py": b"x = 1\n" * 30}).items())
WHEELS = [zipped(MEMBERS), zipped(MEMBERS, zipfile.ZIP_STORED), streamed_zip(MEMBERS)]
LIMITS = SizeLimits.of(1 << 20)
REFUSE = Refusal("the wheel")


def structure(content):
    """Offsets of the bytes of headers and ends, where a change matters most."""
    places = []
    for mark, size in ((b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22), (b"PK\7\x08", 16)):
        at = content.find(mark)
        while at >= 0:
            places += range(at, min(at + size, len(content)))
            at = content.find(mark, at + 1)
    return places


STRUCTURES = [structure(content) for content in WHEELS]


@st.composite
def changed_wheels(draw):
    number = draw(st.integers(0, len(WHEELS) - 1))
    content = bytearray(WHEELS[number])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.one_of(st.sampled_from(STRUCTURES[number]), st.integers(0, len(content) - 1)))
        at = min(at, len(content) - 1)
        manner = draw(st.sampled_from(["flip", "byte", "short", "long", "insert", "cut", "copy"]))
        if manner == "flip":
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif manner == "byte":
            content[at] = draw(st.sampled_from([0, 1, 8, 0x2E, 0x2F, 0x5C, 0xFF]))
        elif manner in ("short", "long"):
            size = 2 if manner == "short" else 4
            most = (1 << 8 * size) - 1
            value = draw(st.one_of(st.sampled_from([0, 1, most, most - 1]), st.integers(0, len(content))))
            content[at : at + size] = min(value, most).to_bytes(size, "little")
        elif manner == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif manner == "cut":
            del content[at : at + draw(st.integers(1, 8))]
        else:
            start = draw(st.integers(0, len(content) - 1))
            piece = content[start : start + draw(st.integers(1, 60))]
            content[at : at + len(piece)] = piece
        if not content:
            content = bytearray(b"\0")
    return bytes(content)


def from_the_front(content):
    """What a reader finds that can't seek: local headers in their order, each deflated stream to its end."""
    found, at = {}, 0
    while content[at : at + 4] == b"PK\3\4":
        _, flags, method, _, _, crc, packed, size, name_size, extra = struct.unpack_from(
            "<5H3I2H", content, at + 4
        )
        name = content[at + 30 : at + 30 + name_size].decode()
        at += 30 + name_size + extra
        if method == 8:
            inflater = zlib.decompressobj(-15)
            body = inflater.decompress(content[at:]) + inflater.flush()
            at = len(content) - len(inflater.unused_data)
        else:
            body = content[at : at + packed]
            at += packed
        if flags & 8:
            at += 4 if content[at : at + 4] == b"PK\7\x08" else 0
            crc, _, size = struct.unpack_from("<III", content, at)
            at += 12
        assert (zlib.crc32(body), len(body)) == (crc, size)
        found[name] = body
    return found


@settings(max_examples=600)
@given(changed_wheels())
def test_a_changed_wheel_is_refused_or_the_same_to_every_reader(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo-1.0-py3-none-any.whl"
        path.write_bytes(content)
        try:
            checked = check_wheel_file(path, LIMITS)
        except ForeignOutputRefused:
            return
        stream = io.BytesIO(content)
        own = {
            one.name: b"".join(member_pieces(stream, one, REFUSE))
            for one in read_zip(stream, len(content), LIMITS, REFUSE)
        }
        with zipfile.ZipFile(path) as pack:
            assert {name: pack.read(name) for name in pack.namelist()} == own
            source = InstallerWheel(pack)
            source.validate_record(validate_contents=True)
            assert source.read_dist_info("METADATA").encode() == checked.metadata
        assert from_the_front(content) == own
        assert own == dict(MEMBERS)
