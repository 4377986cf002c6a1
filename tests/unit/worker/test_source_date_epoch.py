"""The time of a build is the sdist's own, and never today's."""

from __future__ import annotations

import zipfile

import pytest

from worker.inside.build_wheel import source_date_epoch, zip_time

FIRST = 315_532_800


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([("demo-1", 5_000_000_000), ("demo-1/a.py", 1_700_000_000), ("demo-1/src/b.py", 1_800_000_000)],
         1_700_000_000),
        ([("./demo-1/a.py", 1_600_000_000), ("demo-1/src/", 1_700_000_000)], 1_700_000_000),
        ([("demo-1/a.py", 0)], FIRST),
        ([("demo-1/src/a.py", 1_700_000_000)], FIRST),
        ([], FIRST),
    ],
)  # fmt: skip
def test_it_is_the_newest_time_that_the_archive_gives_its_top(times, expected):
    assert source_date_epoch(times) == expected


def test_a_zip_may_have_no_time_at_all():
    assert zip_time(zipfile.ZipInfo("a", (2020, 1, 1, 0, 0, 0))) == 1_577_836_800
    assert zip_time(zipfile.ZipInfo("a", (1980, 0, 0, 0, 0, 0))) == 0
