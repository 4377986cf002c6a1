"""What the database knows of upstream, the same on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from wheelyard.digests import Digest
from wheelyard.jobs.upstream_rows import KeptFile, KeptPage, UpstreamRows

WHEEL = KeptFile(
    digest=Digest.of(b"wheel"), project="demo", filename="demo-1.0-py3-none-any.whl", size=5,
    metadata=Digest.of(b"metadata"), fetched_at=1000.0, used_at=1000.0,
)  # fmt: skip


@pytest.fixture
def rows(database):
    return UpstreamRows(database)


def test_a_page_is_the_last_one(rows):
    assert rows.page("demo") is None
    first = KeptPage(project="demo", page=Digest.of(b"page"), etag='"a"', asked_at=1000.0)
    rows.set_page(first)
    assert rows.page("demo") == first
    absent = KeptPage(project="demo", page=None, asked_at=2000.0)
    rows.set_page(absent)
    assert rows.page("demo") == absent
    assert rows.page("other") is None


def test_a_file_is_found_by_its_digest(rows):
    rows.add_file(WHEEL)
    rows.add_file(WHEEL)
    assert rows.file(WHEEL.digest) == WHEEL
    assert rows.file(Digest.of(b"other")) is None
    rows.touch(WHEEL.digest, 5000.0)
    assert rows.file(WHEEL.digest) == replace(WHEEL, used_at=5000.0)


def test_a_projects_wheels_tell_their_metadata(rows):
    rows.add_file(WHEEL)
    sdist = replace(WHEEL, digest=Digest.of(b"sdist"), filename="demo-1.0.tar.gz", metadata=None)
    rows.add_file(sdist)
    assert rows.metadata_of("demo") == {WHEEL.digest: WHEEL.metadata}
    assert rows.metadata_of("other") == {}


def test_many_may_note_the_same_at_once(rows):
    pages = [KeptPage(project="demo", page=Digest.of(b"page"), asked_at=float(at)) for at in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rows.set_page, pages))
        list(pool.map(rows.add_file, [WHEEL] * 16))
    assert rows.page("demo") in pages
    assert rows.file(WHEEL.digest) == WHEEL
