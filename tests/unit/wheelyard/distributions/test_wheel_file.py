"""What a wheel must be before it is shown: its RECORD true for every byte, its METADATA of its name."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.distributions import metadata_of, record_line, wheel, wheel_members, zipped
from wheelyard.distributions.core_metadata import check_for_publication, read_core_metadata
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.wheel_file import check_wheel_file
from wheelyard.errors import ForeignOutputRefused

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"
REFUSE = Refusal("the wheel")


def check(folder, content, name=NAME):
    path = folder / name
    path.write_bytes(content)
    return check_wheel_file(path, SizeLimits.of(1 << 20))


def with_record(change):
    """A good wheel whose RECORD is another one."""
    good = wheel_members()[f"{INFO}/RECORD"].decode()
    return wheel(record=change(good).encode())


def without(*names):
    return zipped([(name, content) for name, content in wheel_members().items() if name not in names])


def test_takes_signatures_that_record_does_not_name(tmp_path):
    members = wheel_members()
    assert check(tmp_path, zipped([*members.items(), (f"{INFO}/RECORD.jws", b"{}")])).project == "demo"


@pytest.mark.parametrize("kind", ["sha384", "sha512"])
def test_takes_better_hashes_than_sha256(tmp_path, kind):
    content = wheel_members()["demo/__init__.py"]
    hashed = base64.urlsafe_b64encode(hashlib.new(kind, content).digest()).rstrip(b"=").decode()
    better = f"demo/__init__.py,{kind}={hashed},{len(content)}"
    changed = with_record(lambda text: text.replace(record_line("demo/__init__.py", content), better))
    assert check(tmp_path, changed).modules == ("demo",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (with_record(lambda text: text.replace("sha256=", "md5=", 1)), "no hash or size"),
        (with_record(lambda text: text.replace("sha256=", "sha1=", 1)), "no hash or size"),
        (with_record(lambda text: text.replace("sha256=", "", 1)), "no hash or size"),
        (with_record(lambda text: text.replace("sha256=", "sha256=A", 1)), "another hash or size"),
        (with_record(lambda text: text.replace(",16\n", ",17\n", 1)), "another hash or size"),
        (with_record(lambda text: text + "demo/gone.py,sha256=AAAA,1\n"), "a file that is not there"),
        (with_record(lambda text: text + f"{INFO}/RECORD,,\n"), "names a file twice"),
        (with_record(lambda text: text.replace("RECORD,,", "RECORD,sha256=AAAA,1")), "hashes itself"),
        (with_record(lambda text: text.replace(f"{INFO}/RECORD,,\n", "")), "does not name every file"),
        (with_record(lambda _text: "one\ntwo,fields\n"), "three fields"),
        (with_record(lambda _text: ""), "does not name every file"),
        (wheel(record=b"\xff\xfe,sha256=AAAA,1\n"), "UTF-8"),
        (without(f"{INFO}/RECORD"), "RECORD is missing"),
        (without(f"{INFO}/METADATA"), "METADATA is missing"),
        (without(f"{INFO}/WHEEL"), "WHEEL is missing"),
        (zipped([("demo.py", b"x = 1\n")]), "one .dist-info folder"),
        (zipped([]), "one .dist-info folder"),
        (zipped([*wheel_members().items(), ("more-1.0.dist-info/METADATA", b"")]), "one .dist-info folder"),
        (zipped([*wheel_members().items(), ("more.DIST-INFO/x", b"")]), "one .dist-info folder"),
        (zipped(wheel_members("other").items()), "another project or version"),
        (zipped(wheel_members("demo", "1.1").items()), "another project or version"),
        (wheel(metadata=b"\nName: demo\nVersion: 1.0\n"), "Name and Version once"),
        (wheel(metadata=b"Name: demo\nVersion: 1.0\nVersion: 2.0\n"), "Name and Version once"),
    ],
)  # fmt: skip
def test_refuses_a_wheel_that_lies(tmp_path, content, words):
    with pytest.raises(ForeignOutputRefused) as caught:
        check(tmp_path, content)
    assert words in str(caught.value)


def test_refuses_a_wheel_of_a_format_that_nobody_installs(tmp_path):
    members = wheel_members()
    members[f"{INFO}/WHEEL"] = b"Wheel-Version: 2.0\n"
    with pytest.raises(ForeignOutputRefused, match="format"):
        check(tmp_path, zipped(members.items()))


@pytest.mark.parametrize(
    "name",
    [
        "demo-1.0-py3-none.whl", "demo-one-py3-none-any.whl", "demo-1.0-x-py3-none-any.whl",
        "démo-1.0-py3-none-any.whl",
        "demo 1-1.0-py3-none-any.whl", "demo__x-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl.exe",
    ],
)  # fmt: skip
def test_refuses_a_name_that_is_no_wheels(tmp_path, name):
    with pytest.raises(ForeignOutputRefused, match="PEP 427"):
        check(tmp_path, wheel(), name)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ("Requires-Python: three\n", "PEP 345"), (f"Requires-Python: {'>=3,' * 90}>=3\n", "too long"),
        ("Requires-Dist: a b c\n", "PEP 508"), ("Requires-Dist: six; python ~ 3\n", "PEP 508"),
    ],
)  # fmt: skip
def test_refuses_to_publish_what_would_stop_a_client(headers, words):
    body = metadata_of("demo", "1.0", headers)
    with pytest.raises(ForeignOutputRefused, match=words):
        check_for_publication(body, read_core_metadata(body, "METADATA", REFUSE), "METADATA", REFUSE)


def test_refuses_to_publish_an_unknown_format_of_metadata():
    body = b"Metadata-Version: 9\nName: demo\nVersion: 1.0\n"
    with pytest.raises(ForeignOutputRefused, match="Metadata-Version"):
        check_for_publication(body, read_core_metadata(body, "METADATA", REFUSE), "METADATA", REFUSE)


def test_what_is_foreign_moves_no_cursor():
    error = Refusal("the wheel x")("it lies", found="\x1b[2Jgone\r\n" + "x" * 1000)
    assert "\x1b" not in str(error)
    assert len(error.found) < 310
