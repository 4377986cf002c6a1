"""Members leave a wheel, and it stays a wheel."""

import base64
import csv
import hashlib
import io
import zipfile

import pytest
from installer.sources import WheelFile

from worker.inside.left_out import is_left_out, leave_out

MEMBERS = {
    "demo/__init__.py": b"",
    "demo/core.py": b"x = 1\n",
    "demo/tests/__init__.py": b"",
    "demo/tests/deep/test_core.py": b"assert True\n" * 100,
    "demo/include/demo.h": b"#define DEMO\n",
    'demo/odd,"name".py': b"y = 2\n",
    "demo/_vendor/other-1.0.dist-info/RECORD": b"other.py,,\r\n",
    "demo-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    "demo-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "demo-1.0.dist-info/licenses/tests/LICENSE": b"free\n",
}


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for name, body in MEMBERS.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        rows.writerow([name, f"sha256={digest}", len(body)])
    rows.writerow(["demo-1.0.dist-info/RECORD", "", ""])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {**MEMBERS, "demo-1.0.dist-info/RECORD": record.getvalue().encode()}.items():
            entry = zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10))
            entry.external_attr = (0o100755 if name == "demo/core.py" else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, body)
    return path


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return {one.filename: (one.date_time, one.external_attr) for one in archive.infolist()}


def test_what_matches_is_gone_from_the_archive_and_from_record(wheel):
    before = entries(wheel)
    count, saved, idle = leave_out(wheel, ["*/tests/*", "*.h", "*.pyx"])
    assert (count, idle) == (3, ["*.pyx"])
    assert saved > 0
    after = entries(wheel)
    assert set(before) - set(after) == {
        "demo/tests/__init__.py", "demo/tests/deep/test_core.py", "demo/include/demo.h",
    }  # fmt: skip
    assert {name: before[name] for name in after} == after
    assert list(after) == [name for name in before if name in after]
    with WheelFile.open(wheel) as source:
        source.validate_record()
        assert sum(1 for _ in source.get_contents()) == len(after)


def test_twice_the_same_gives_the_same_bytes(wheel, tmp_path):
    other = tmp_path / "other.whl"
    other.write_bytes(wheel.read_bytes())
    for one in (wheel, other):
        leave_out(one, ["*/tests/*"])
    assert wheel.read_bytes() == other.read_bytes()
    assert leave_out(wheel, ["*/tests/*"]) == (0, 0, ["*/tests/*"])


def test_a_wheels_own_metadata_stays_whatever_the_pattern():
    assert is_left_out("demo/tests/a.py", ["*"])
    assert not is_left_out("demo-1.0.dist-info/licenses/tests/LICENSE", ["*", "*/tests/*"])
