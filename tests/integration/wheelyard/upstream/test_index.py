"""The upstream index against a real server on loopback that fails in the ways of real ones."""

import io

import pytest
import stamina

from tests.index_site import serve_index
from wheelyard.errors import ForeignOutputRefused, IndexUnavailable, NotFound
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pip_index import PipIndex

MIB = 1 << 20


@pytest.fixture
def site():
    with serve_index() as served, stamina.set_testing(True, attempts=5, cap=True):  # no pauses
        yield served


@pytest.fixture
def upstream(site):
    return Upstream(PipIndex(url=site.url), attempts=3, patience=10)


@pytest.mark.parametrize("html", [False, True])
def test_reads_both_kinds_of_pages(site, upstream, html):
    site.html = html
    site.add_sdist("demo", "1.0", requires_python=">=3.8")
    site.add_wheel("demo", "1.0", metadata=b"Name: demo\n", yanked="broken")
    sdist, wheel = upstream.listing("Demo").files
    assert (sdist.kind, sdist.requires_python, sdist.yanked, sdist.has_metadata) == (
        "sdist",
        ">=3.8",
        None,
        False,
    )
    assert (wheel.kind, wheel.yanked, wheel.has_metadata) == ("wheel", "broken", True)
    assert wheel.metadata is not None
    assert upstream.metadata(wheel) == b"Name: demo\n"


def test_no_such_project_is_said_at_once(site, upstream):
    with pytest.raises(NotFound, match="there is no project ghost on the index"):
        upstream.listing("ghost")
    assert site.asked == ["/simple/ghost/"]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_tries_again_where_that_may_help(site, upstream, status):
    site.add_sdist("demo", "1.0")
    site.fail_with, site.fails_left = status, 2
    assert upstream.listing("demo").files
    assert len(site.asked) == 3


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (401, 1), (403, 1)])
def test_a_refusing_index_is_never_a_missing_project(site, upstream, status, tries):
    site.fail_with = status
    with pytest.raises(IndexUnavailable, match="refused to give demo") as caught:
        upstream.listing("demo")
    assert caught.value.found == f"HTTP status {status}"
    assert len(site.asked) == tries


def test_a_cut_network_is_never_a_missing_project():
    with serve_index() as site:
        url = site.url
    with pytest.raises(IndexUnavailable, match="could not be reached for demo") as caught:
        Upstream(PipIndex(url=url), attempts=2, patience=5).listing("demo")
    assert "refused" in caught.value.found


def test_a_name_that_does_not_resolve_is_an_outage():
    with pytest.raises(IndexUnavailable, match="could not be reached"):
        Upstream(PipIndex(url="http://index.invalid/simple/"), attempts=1).listing("demo")


@pytest.mark.parametrize(
    "answer", [("application/vnd.pypi.simple.v1+json", b'{"meta": {"api-ver'), ("image/png", b"\x89PNG")]
)
def test_an_answer_that_is_no_page_is_an_outage(site, upstream, answer):
    site.instead = answer
    with pytest.raises(IndexUnavailable, match="gave no project page"):
        upstream.listing("demo")


def test_a_password_never_reaches_a_message(site):
    site.fail_with = 403
    url = site.url.replace("http://", "http://me:secret@")
    with pytest.raises(IndexUnavailable) as caught:
        Upstream(PipIndex(url=url)).listing("demo")
    assert "secret" not in str(caught.value)


def test_gives_a_files_bytes(site, upstream):
    file = site.add_sdist("demo", "1.0")
    target = io.BytesIO()
    (listed,) = upstream.listing("demo").files
    assert upstream.download(listed, target, MIB) == len(file.body)
    assert target.getvalue() == file.body


@pytest.mark.parametrize("chunked", [False, True])
def test_a_download_that_was_cut_off_is_tried_again_from_its_start(site, upstream, chunked):
    file = site.add_sdist("demo", "1.0", cut_at=40, cuts_left=2, chunked=chunked)
    target = io.BytesIO()
    (listed,) = upstream.listing("demo").files
    upstream.download(listed, target, MIB)
    assert target.getvalue() == file.body


def test_a_download_that_is_always_cut_off_is_an_outage(site, upstream):
    site.add_sdist("demo", "1.0", cut_at=40)
    (listed,) = upstream.listing("demo").files
    with pytest.raises(IndexUnavailable, match=r"could not be reached for demo-1\.0\.tar\.gz"):
        upstream.download(listed, io.BytesIO(), MIB)


def test_other_bytes_than_the_index_lists_are_refused_with_both_hashes(site, upstream):
    site.add_sdist("demo", "1.0", listed_sha256="0" * 64)
    (listed,) = upstream.listing("demo").files
    with pytest.raises(
        ForeignOutputRefused, match=r"demo-1\.0\.tar\.gz is not the file that the index lists"
    ) as caught:
        upstream.download(listed, io.BytesIO(), MIB)
    assert caught.value.expected == f"sha256:{'0' * 64}"
    assert caught.value.found.startswith("sha256:")


def test_a_file_without_a_hash_is_refused(site, upstream):
    site.add_sdist("demo", "1.0", hashless=True)
    (listed,) = upstream.listing("demo").files
    with pytest.raises(ForeignOutputRefused, match="can't be verified"):
        upstream.download(listed, io.BytesIO(), MIB)


def test_a_file_that_is_too_large_is_refused(site, upstream):
    site.add_sdist("demo", "1.0")
    (listed,) = upstream.listing("demo").files
    with pytest.raises(ForeignOutputRefused, match="is too large"):
        upstream.download(listed, io.BytesIO(), 10)
