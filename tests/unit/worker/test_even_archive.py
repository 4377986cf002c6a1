"""The archive of a wheel says of its members what its inputs decide, and no more."""

import zipfile

import pytest

from tests.distributions import wheel_members
from worker.inside.build_wheel import even_archive

MOMENT = 1_700_000_001
NAME = "demo-1.0-py3-none-any.whl"


def written(folder, members, **how):
    """A wheel whose members have the given time and mode."""
    path = folder / NAME
    with zipfile.ZipFile(path, "w") as pack:
        for name, content in members:
            info = zipfile.ZipInfo(name, how.get("time", (2026, 1, 2, 3, 4, 6)))
            info.external_attr = how.get("mode", 0o100600) << 16
            info.create_system = how.get("system", 3)
            pack.writestr(info, content, how.get("method", zipfile.ZIP_STORED))
    return path


def test_two_archives_of_the_same_members_become_the_same_bytes(tmp_path):
    members = list(wheel_members(members={"b.py": b"b", "a.py": b"a"}).items())
    bodies = []
    for number, (how, order) in enumerate(
        [({}, 1), ({"time": (2020, 5, 6, 7, 8, 10), "mode": 0o100664, "method": zipfile.ZIP_DEFLATED}, -1)]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = written(folder, members[::order], **how)
        even_archive(path, MOMENT)
        bodies.append(path.read_bytes())
    assert bodies[0] == bodies[1]


def test_members_keep_their_bytes_and_record_comes_last(tmp_path):
    members = wheel_members(members={"z/data.bin": bytes(range(256)) * 5000})
    path = written(tmp_path, members.items())
    even_archive(path, MOMENT)
    with zipfile.ZipFile(path) as pack:
        assert {name: pack.read(name) for name in pack.namelist()} == members
        names = pack.namelist()
        assert names[-1] == "demo-1.0.dist-info/RECORD"
        assert names[0] == "demo/__init__.py"
        assert all(".dist-info/" in name for name in names[-3:])
        assert {info.date_time for info in pack.infolist()} == {(2023, 11, 14, 22, 13, 20)}


@pytest.mark.parametrize(("mode", "expected"), [(0o100600, 0o100644), (0o100700, 0o100755), (0, 0o100644)])
def test_a_program_stays_one_and_no_umask_shows(tmp_path, mode, expected):
    path = written(tmp_path, [("demo.data/scripts/demo", b"#!python\n")], mode=mode)
    even_archive(path, MOMENT)
    with zipfile.ZipFile(path) as pack:
        assert pack.infolist()[0].external_attr >> 16 == expected
