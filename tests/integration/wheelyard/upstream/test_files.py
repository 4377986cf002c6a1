"""Upstream's files, kept, with a store that forgets and an index that goes away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.index_site import make_wheel
from wheelyard.channels import Channel, Channels, UpstreamPolicy
from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, IndexUnavailable
from wheelyard.jobs.upstream_rows import UpstreamRows
from wheelyard.projects import Projects, Quarantined, Status
from wheelyard.store.folder import FolderStore
from wheelyard.upstream.arrivals import Arrival
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pip_index import PipIndex
from wheelyard.upstream.pulled_index import PulledIndex

WHEEL = "demo-1.0-py3-none-any.whl"
TEXT = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\n"


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def projects(database, store):
    return Projects(database, store)


@pytest.fixture
def index(site, database, store, projects, clock, tmp_path):
    channels = Channels(database, store)
    channels.change("default", lambda one: replace(one, upstream=UpstreamPolicy.ALL), "test")
    upstream = Upstream(PipIndex(url=site.url), attempts=2, patience=3)
    (tmp_path / "scratch").mkdir()
    return PulledIndex(
        database, store, channels, projects, lambda: upstream, clock=clock, scratch=tmp_path / "scratch"
    )


def digest_of(file):
    return Digest.of(file.body)


def test_a_file_is_noted_with_when_it_came_and_was_used(site, index, database, clock, tmp_path):
    wheel = site.add_wheel("demo", "1.0")
    rows, came_at = UpstreamRows(database), clock.now
    kept = index.kept.file(digest_of(wheel), WHEEL)
    assert kept == rows.file(digest_of(wheel))
    assert (kept.fetched_at, kept.used_at, kept.size) == (came_at, came_at, len(wheel.body))
    clock.now += 60
    index.kept.file(digest_of(wheel), WHEEL)
    assert rows.file(digest_of(wheel)).used_at == came_at, "not written down at every request"
    clock.now += 3600
    index.kept.file(digest_of(wheel), WHEEL)
    assert rows.file(digest_of(wheel)).used_at == clock.now
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_file_that_the_store_forgot_is_fetched_again(site, index, store, clock):
    wheel = site.add_wheel("demo", "1.0")
    index.kept.file(digest_of(wheel), WHEEL)
    clock.now += 90 * 86400
    assert store.delete_blob(digest_of(wheel))
    assert index.kept.file(digest_of(wheel), WHEEL).fetched_at == clock.now
    assert store.blob_size(digest_of(wheel)) == len(wheel.body)


def test_a_file_that_came_another_way_is_not_fetched(site, index, store):
    wheel = site.add_wheel("demo", "1.0")
    store.put_blob(wheel.body, digest_of(wheel))
    kept = index.kept.file(digest_of(wheel), WHEEL)
    assert kept.metadata == Digest.of(TEXT)
    assert [path for path in site.asked if path.startswith("/packages/")] == []


def test_metadata_comes_without_the_wheel_and_stays_when_upstream_goes(site, index, store):
    wheel = site.add_wheel("demo", "1.0", metadata=TEXT)
    beside = index.kept.metadata(digest_of(wheel), WHEEL)
    assert beside.digest == Digest.of(TEXT)
    assert store.blob_size(digest_of(wheel)) is None
    site.fail_with = 503
    assert index.kept.metadata(digest_of(wheel), WHEEL) == beside
    assert site.asked == ["/simple/demo/", f"/packages/demo/{WHEEL}.metadata"]


def test_metadata_that_is_not_what_the_page_says_is_refused(site, index, store):
    wheel = site.add_wheel("demo", "1.0", metadata=TEXT)
    index.pages.page("demo")
    wheel.metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: evil\n"
    with pytest.raises(ForeignOutputRefused):
        index.kept.metadata(digest_of(wheel), WHEEL)
    assert store.blob_size(Digest.of(TEXT)) is None


def test_what_upstream_says_of_a_wheels_metadata_stands_over_what_the_wheel_says(site, index):
    other = TEXT + b"Mended upstream.\n"
    wheel = site.add_wheel("demo", "1.0", metadata=other)
    assert index.kept.file(digest_of(wheel), WHEEL).metadata is None
    assert index.kept.metadata(digest_of(wheel), WHEEL).digest == Digest.of(other)


def test_an_sdist_has_no_metadata_beside_it(site, index):
    sdist = site.add_sdist("demo", "1.0")
    assert index.kept.file(digest_of(sdist), sdist.filename).metadata is None
    assert index.kept.metadata(digest_of(sdist), sdist.filename) is None


def test_a_wheel_that_is_no_zip_is_kept_as_upstream_has_it(site, index):
    broken = site.add("demo", WHEEL, b"no zip at all")
    kept = index.kept.file(digest_of(broken), WHEEL)
    assert (kept.size, kept.metadata) == (13, None)


@pytest.mark.parametrize(
    "filename",
    [
        "demo-2.0-py3-none-any.whl",
        "other-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
        "demo.exe",
        "",
        "..",
        "a" * 300,
    ],
)
def test_a_digest_under_another_name_is_no_file(site, index, filename):
    wheel = site.add_wheel("demo", "1.0")
    index.kept.file(digest_of(wheel), WHEEL)
    assert index.kept.file(digest_of(wheel), filename) is None
    assert index.kept.metadata(digest_of(wheel), filename) is None


def test_an_outage_is_no_missing_file(site, index, tmp_path):
    wheel = site.add_wheel("demo", "1.0")
    index.pages.page("demo")
    site.fail_with, site.fail_below = 503, "/packages/"
    with pytest.raises(IndexUnavailable):
        index.kept.file(digest_of(wheel), WHEEL)
    site.fail_with = 0
    assert index.kept.file(digest_of(wheel), WHEEL) is not None
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_file_of_a_quarantined_project_is_not_given_any_more(site, index, projects):
    wheel, sdist = site.add_wheel("demo", "1.0"), site.add_sdist("demo", "1.0")
    index.kept.file(digest_of(wheel), WHEEL)
    projects.set_status("demo", Status.QUARANTINED, "stolen account", "test")
    with pytest.raises(Quarantined):
        index.kept.file(digest_of(wheel), WHEEL)
    assert index.kept.file(digest_of(sdist), sdist.filename) is None


def test_many_that_wait_for_one_file_get_the_same_arrival(site, index, until):
    wheel = site.add_wheel("demo", "1.0")
    index.pages.page("demo")
    site.gate = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(index.kept.coming, digest_of(wheel), WHEEL, 0.2) for _ in range(8)]
        until(lambda: len(site.asked) == 2)
        arrivals = [one.result() for one in waiting]
    assert len({id(one) for one in arrivals}) == 1
    (arrival,) = {id(one): one for one in arrivals}.values()
    assert isinstance(arrival, Arrival)
    assert not arrival.is_verified()
    site.gate.set()
    assert arrival.result().digest == digest_of(wheel)
    assert arrival.open() is None
    assert len(site.asked) == 2


def test_of_an_absent_project_there_are_no_files(index):
    assert index.files(Channel(name="default", upstream=UpstreamPolicy.ALL), "absent") == ()


def test_bytes_that_grow_with_every_try_are_cut_off_and_tried_again(site, index):
    body = make_wheel("demo", "1.0", files={"demo/x.py": "#" * 5000})
    wheel = site.add("demo", WHEEL, body, cut_at=1000, cuts_left=1)
    assert index.kept.file(Digest.of(body), WHEEL).size == len(body)
    assert site.asked.count(f"/packages/demo/{wheel.filename}") == 2
