"""Wheels that can't lie in one folder are found by their lists of members, in whatever version there is."""

from __future__ import annotations

import io
import zipfile
from types import SimpleNamespace

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.index_file import FileKind
from wheelyard.store.folder import FolderStore
from worker.wheel_clashes import KnownWheel, known_wheels, refuse_clashes


class Shelf:
    def __init__(self, folder):
        self.store = FolderStore(folder)

    def wheel(self, name: str, members: dict[str, bytes], padding: int = 0) -> KnownWheel:
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as pack:
            pack.writestr("padding.bin" if padding else f"{name}-1.dist-info/padding", bytes(padding))
            for path, content in members.items():
                pack.writestr(path, content)
        self.store.put_blob(body.getvalue(), digest := Digest.of(body.getvalue()))
        return KnownWheel(title=f"{name} 1", filename=f"{name}-1-py3-none-any.whl", digest=digest)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def test_two_wheels_that_own_one_module_are_refused_with_both_and_the_path(shelf):
    full = shelf.wheel("opencv-python", {"cv2/__init__.py": b"full"}, padding=300_000)
    headless = shelf.wheel("opencv-python-headless", {"cv2/__init__.py": b"headless"})
    with pytest.raises(InputError) as refusal:
        refuse_clashes(shelf.store, [full, shelf.wheel("numpy", {"numpy/__init__.py": b""}), headless])
    assert refusal.value.failed.startswith(
        "opencv-python 1 and opencv-python-headless 1 both install cv2/__init__.py"
    )
    assert refusal.value.facts["owners"] == ["opencv-python 1", "opencv-python-headless 1"]


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        ("a-1.data/scripts/run", "b-1.data/scripts/run", "../../../bin/run"),
        ("a-1.data/purelib/m.py", "m.py", "m.py"),
        ("a-1.data/data/share/x", "b-1.data/data/share/x", "../../../share/x"),
    ],
)
def test_members_are_compared_where_they_land(shelf, first, second, path):
    with pytest.raises(InputError) as refusal:
        refuse_clashes(shelf.store, [shelf.wheel("a", {first: b"1"}), shelf.wheel("b", {second: b"2"})])
    assert refusal.value.facts["path"] == path


def test_equal_files_their_own_records_and_headers_are_no_clash(shelf):
    same = {"space/__init__.py": b"", "x-1.dist-info/RECORD": b"", "tests/": b""}
    first = shelf.wheel("a", {**same, "a-1.data/headers/x.h": b"1", "x-1.dist-info/WHEEL": b"1"})
    second = shelf.wheel("b", {**same, "b-1.data/headers/x.h": b"2", "x-1.dist-info/WHEEL": b"2"})
    refuse_clashes(shelf.store, [first, second])


def test_a_wheel_that_is_lost_or_can_not_be_read_is_left_to_who_fills_it(shelf):
    shelf.store.put_blob(b"no zip", digest := Digest.of(b"no zip"))
    lost = KnownWheel(title="a 1", filename="a-1-py3-none-any.whl", digest=Digest.of(b"nowhere"))
    broken = KnownWheel(title="b 1", filename="b-1-py3-none-any.whl", digest=digest)
    refuse_clashes(shelf.store, [lost, broken])


def test_the_very_version_is_looked_at_or_else_the_newest_one():
    names = ["a-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl", "a-2.0-1-py3-none-any.whl"]
    files = [
        SimpleNamespace(kind=FileKind.WHEEL, filename=name, digest=Digest.of(name.encode())) for name in names
    ]
    sdist = SimpleNamespace(kind=FileKind.SDIST, filename="a-3.tar.gz", digest=Digest.of(b""))
    catalogue = SimpleNamespace(files=lambda channel, project: [*files, sdist] if project == "a" else [sdist])

    def chosen(version):
        return [wheel.filename for wheel in known_wheels(catalogue, "default", [("a", version), ("b", "1")])]

    assert chosen("1.0.0") == ["a-1.0-py3-none-any.whl"]
    assert chosen("2.0") == chosen("3.0") == ["a-2.0-1-py3-none-any.whl"]
