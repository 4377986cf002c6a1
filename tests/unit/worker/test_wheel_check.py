"""What a wheel must be before it is published."""

import base64
import hashlib
import zipfile

import pytest

from wheelyard.distributions.wheel_file import top_level_modules
from wheelyard.errors import ForeignOutputRefused
from wheelyard.toolchains import Python, Toolchain
from worker.wheel_check import check_wheel

TOOLCHAIN = Toolchain(
    name="test",
    description="",
    python=Python(version="3.11", tag="cp311", executable="/usr/bin/python3"),
    policy="manylinux_2_36_x86_64",
    image="x@sha256:" + "0" * 64,
)
METADATA = (
    b"Metadata-Version: 2.1\nName: Demo\nVersion: 1.0\nRequires-Python: >=3.9\nRequires-Dist: six\n\nText\n"
)


def make_wheel(
    folder, name="demo-1.0-py3-none-any.whl", members=None, metadata=METADATA, record=None, extra=()
):
    files = {"demo/__init__.py": b"x = 1\n", **(members or {}), "demo-1.0.dist-info/METADATA": metadata}
    files["demo-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    lines.append("demo-1.0.dist-info/RECORD,,")
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        for member, content in files.items():
            pack.writestr(member, content)
        pack.writestr("demo-1.0.dist-info/RECORD", record if record is not None else "\n".join(lines) + "\n")
        for member, content in extra:
            pack.writestr(member, content)
    return path


def check(path, project="demo", version="1.0", max_bytes=1 << 20):
    return check_wheel(path, project=project, version=version, toolchain=TOOLCHAIN, max_bytes=max_bytes)


def test_takes_a_true_wheel_and_reads_its_metadata(tmp_path):
    checked = check(make_wheel(tmp_path))
    assert checked.modules == ("demo",)
    assert checked.requires_python == ">=3.9"
    assert checked.requires_dist == ("six",)
    assert checked.metadata == METADATA


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"record": "demo/__init__.py,sha256=AAAA,6\n"}, "RECORD"),
        ({"extra": [("demo/more.py", b"1")]}, "RECORD"),
        ({"members": {"../evil.py": b"1"}}, "leaves the folder"),
        ({"members": {"/etc/evil": b"1"}}, "leaves the folder"),
        ({"metadata": METADATA.replace(b"Demo", b"Other")}, "METADATA"),
        ({"metadata": METADATA.replace(b"1.0\n", b"2.0\n")}, "METADATA"),
        ({"name": "demo-1.0-cp312-cp312-manylinux_2_36_x86_64.whl"}, "tags"),
        ({"name": "demo-1.0-cp311-cp311-win_amd64.whl"}, "tags"),
        ({"name": "other-1.0-py3-none-any.whl"}, "another project"),
        ({"members": {"demo/zeros": b"\0" * (8 << 20)}}, "bomb"),
    ],
)
def test_refuses_a_wheel_that_is_not_what_it_claims(tmp_path, changes, words):
    with pytest.raises(ForeignOutputRefused, match=words):
        check(make_wheel(tmp_path, **changes))


def test_refuses_a_member_that_is_there_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = make_wheel(tmp_path, extra=[("demo/__init__.py", b"y = 2\n")])
    with pytest.raises(ForeignOutputRefused, match="twice"):
        check(path)


def test_refuses_a_symbolic_link(tmp_path):
    path = make_wheel(tmp_path)
    with zipfile.ZipFile(path, "a") as pack:
        link = zipfile.ZipInfo("demo/link")
        link.external_attr = 0o120777 << 16
        pack.writestr(link, "/etc/passwd")
    with pytest.raises(ForeignOutputRefused, match="symbolic link"):
        check(path)


def test_refuses_what_is_no_zip(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"not a zip")
    with pytest.raises(ForeignOutputRefused, match="can't be read"):
        check(path)


def test_refuses_a_file_over_the_limit(tmp_path):
    with pytest.raises(ForeignOutputRefused, match="too large"):
        check(make_wheel(tmp_path), max_bytes=100)


def test_modules_are_public_ones_at_the_top():
    members = [
        "a/__init__.py",
        "b.py",
        "_c.py",
        "tests/__init__.py",
        "d.cpython-311-x86_64-linux-gnu.so",
        "e/f.py",
        "g-1.data/purelib/h/__init__.py",
    ]
    assert top_level_modules(members) == ("a", "b", "d", "h")
