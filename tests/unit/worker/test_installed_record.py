"""RECORD of an installed wheel is true, or the layer is refused."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile

import pytest

from wheelyard.errors import ForeignOutputRefused
from worker.installed_record import check_installed_record

SITE = "usr/local/lib/python3.11/dist-packages"


def row(path: str, body: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(body)}\n"


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("demo.py", "x = 1\n")
        pack.writestr("__pycache__/demo.cpython-311.pyc", b"stray")
        pack.writestr("demo-1.0.dist-info/METADATA", "")
        pack.writestr("demo-1.0.data/scripts/demo", "#!python\n")
    return path


def check(wheel, files: dict[str, bytes], record: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, body in {**files, f"{SITE}/demo-1.0.dist-info/RECORD": record.encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        check_installed_record(tar, wheel)


FILES = {f"{SITE}/demo.py": b"x = 1\n", "usr/local/bin/demo": b"#!/usr/bin/python3\n"}
RECORD = (
    row("demo.py", b"x = 1\n")
    + row("../../../bin/demo", b"#!/usr/bin/python3\n")
    + "demo-1.0.dist-info/RECORD,,\n"
)


def test_a_true_record_passes(wheel):
    check(wheel, FILES, RECORD)


def test_the_records_of_vendored_projects_are_files_like_others(wheel):
    vendored = ("demo/_vendor/other-2.0.dist-info/RECORD", "demo/site-packages/far-1.dist-info/RECORD")
    files = {**FILES, **{f"{SITE}/{path}": b"" for path in vendored}}
    check(wheel, files, RECORD + "".join(row(path, b"") for path in vendored))


@pytest.mark.parametrize(
    ("files", "record", "found"),
    [
        ({**FILES, f"{SITE}/extra.pth": b"import os"}, RECORD, "extra.pth is not in RECORD"),
        (FILES, RECORD + row("gone.py", b""), "gone.py, which is not there"),
        ({**FILES, f"{SITE}/demo.py": b"x = 2\n"}, RECORD, "another hash"),
        (
            {**FILES, f"{SITE}/demo.py": b"x = 2\n"},
            RECORD.replace(row("demo.py", b"x = 1\n"), row("demo.py", b"x = 2\n")),
            "differs",
        ),
        (FILES, RECORD + "short\n", "fields"),
    ],
)
def test_a_false_one_is_refused(wheel, files, record, found):
    with pytest.raises(ForeignOutputRefused) as refusal:
        check(wheel, files, record)
    assert found in refusal.value.found
    assert "demo-1.0" in refusal.value.failed
