"""Upstream's pages, kept, against a real index that changes, rests, hangs and goes away."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import stamina

from wheelyard.digests import Digest
from wheelyard.errors import IndexUnavailable, StoreUnavailable
from wheelyard.jobs.upstream_rows import UpstreamRows
from wheelyard.store.folder import FolderStore
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pages import ABSENT_SECONDS, REST_SECONDS, UpstreamPages
from wheelyard.upstream.pip_index import PipIndex
from wheelyard.upstream.tally import Outcome, Tally


@pytest.fixture
def rows(database):
    return UpstreamRows(database)


@pytest.fixture
def open_pages(site, rows, tmp_path, clock):
    """Pages as a process of its own has them: another one has read nothing yet."""

    def open_them(**fields):
        upstream = Upstream(PipIndex(url=site.url), attempts=2, patience=3)
        store = FolderStore(tmp_path / "store")
        return UpstreamPages(rows, store, lambda: upstream, clock=clock, **({"seconds": 600} | fields))

    return open_them


def names(page):
    return [file.filename for file in page.listing.files]


def test_a_page_is_asked_for_once_in_its_time(site, open_pages, clock):
    site.add_sdist("demo", "1.0")
    tally = Tally()
    pages = open_pages(tally=tally)
    assert names(pages.page("demo")) == names(pages.page("demo")) == ["demo-1.0.tar.gz"]
    clock.now += 599
    site.add_sdist("demo", "2.0")
    assert names(open_pages().page("demo")) == ["demo-1.0.tar.gz"]
    assert site.asked == ["/simple/demo/"]
    clock.now += 2
    assert names(pages.page("demo")) == ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]
    counts = tally.counts()
    assert (counts["page", Outcome.FETCHED], counts["page", Outcome.KEPT]) == (2, 1)


def test_a_page_that_still_holds_is_not_sent_again(site, open_pages, clock, rows):
    site.etags = True
    site.add_sdist("demo", "1.0")
    pages = open_pages()
    pages.page("demo")
    clock.now += 601
    assert names(pages.page("demo")) == ["demo-1.0.tar.gz"]
    assert site.unchanged == 1
    assert rows.page("demo").asked_at == clock.now
    clock.now += 601
    site.add_sdist("demo", "2.0")
    assert len(names(pages.page("demo"))) == 2


def test_an_absent_project_is_remembered_only_briefly(site, open_pages, clock):
    pages = open_pages()
    assert pages.page("demo").listing is None
    site.add_sdist("demo", "1.0")
    clock.now += ABSENT_SECONDS - 1
    assert pages.page("demo").listing is None
    clock.now += 2
    assert names(pages.page("demo")) == ["demo-1.0.tar.gz"]


def test_without_upstream_the_last_page_serves_however_old(site, open_pages, clock):
    site.add_sdist("demo", "1.0")
    asked_at = clock.now
    open_pages().page("demo")
    site.fail_with = 503
    clock.now += 400 * 86400
    tally = Tally()
    page = open_pages(tally=tally).page("demo")
    assert names(page) == ["demo-1.0.tar.gz"]
    assert page.asked_at == asked_at
    assert page.trouble is not None
    assert tally.counts()["page", Outcome.STALE] == 1


def test_without_upstream_and_without_a_page_there_is_no_answer(site, open_pages, clock):
    pages = open_pages()
    assert pages.page("gone").listing is None
    site.fail_with = 503
    clock.now += ABSENT_SECONDS + 1
    for project in ("demo", "gone"):
        with pytest.raises(IndexUnavailable):
            pages.page(project)


def test_an_index_that_refused_one_project_rests_for_that_one_only(site, open_pages, clock):
    site.add_sdist("other", "1.0")
    site.fail_with, site.fail_below = 503, "/simple/demo"
    pages = open_pages()
    with pytest.raises(IndexUnavailable):
        pages.page("demo")
    asked = len(site.asked)
    with pytest.raises(IndexUnavailable):
        pages.page("demo")
    assert len(site.asked) == asked
    assert names(pages.page("other")) == ["other-1.0.tar.gz"]
    site.fail_with = 0
    site.add_sdist("demo", "1.0")
    clock.now += REST_SECONDS + 1
    assert names(pages.page("demo")) == ["demo-1.0.tar.gz"]


def test_an_index_that_can_not_be_reached_rests_for_all(rows, tmp_path, clock):
    asked = []

    class Unreachable(Upstream):
        def page(self, project, etag=""):
            asked.append(project)
            return super().page(project, etag)

    with stamina.set_testing(True, attempts=1, cap=True):
        upstream = Unreachable(PipIndex(url="http://127.0.0.1:1/simple/"), attempts=1, patience=1)
        pages = UpstreamPages(rows, FolderStore(tmp_path / "store"), lambda: upstream, clock=clock)
        for project in ("demo", "other", "demo"):
            with pytest.raises(IndexUnavailable, match="could not be reached"):
                pages.page(project)
    assert asked == ["demo"]


def test_many_that_ask_at_once_ask_upstream_once(site, open_pages, until):
    site.add_sdist("demo", "1.0")
    site.gate = threading.Event()
    pages = open_pages()
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(pages.page, "demo") for _ in range(16)]
        until(lambda: site.asked)
        site.gate.set()
        assert {tuple(names(answer.result())) for answer in answers} == {("demo-1.0.tar.gz",)}
    assert site.asked == ["/simple/demo/"]


def test_who_has_an_older_page_does_not_wait_for_a_new_one(site, open_pages, clock, until):
    site.add_sdist("demo", "1.0")
    pages = open_pages()
    pages.page("demo")
    clock.now += 601
    site.add_sdist("demo", "2.0")
    site.gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(pages.page, "demo")
        until(lambda: len(site.asked) == 2)
        assert names(pages.page("demo")) == ["demo-1.0.tar.gz"]
        assert not asking.done()
        site.gate.set()
        assert len(names(asking.result())) == 2


def test_a_page_that_the_store_lost_is_asked_for_again(site, open_pages, rows, tmp_path):
    site.etags = True
    site.add_sdist("demo", "1.0")
    open_pages().page("demo")
    page = rows.page("demo").page
    assert isinstance(page, Digest)
    assert FolderStore(tmp_path / "store").delete_blob(page)
    assert names(open_pages().page("demo")) == ["demo-1.0.tar.gz"]
    assert len(site.asked) == 2


def test_a_page_of_a_password_protected_index_keeps_no_password(site, rows, tmp_path, clock):
    site.add_sdist("demo", "1.0")
    upstream = Upstream(PipIndex(url=site.url.replace("//", "//me:hunter2@")), attempts=1, patience=1)
    store = FolderStore(tmp_path / "store")
    UpstreamPages(rows, store, lambda: upstream, clock=clock).page("demo")
    with store.open_blob(rows.page("demo").page) as stream:
        assert b"hunter2" not in stream.read()


class AwayStore(FolderStore):
    """A store that is away as soon as a test says so."""

    away = False

    def open_blob(self, digest, offset=0, length=None):
        if self.away:
            raise StoreUnavailable("the store does not answer")
        return super().open_blob(digest, offset, length)

    def put_blob(self, source, digest):
        if self.away:
            raise StoreUnavailable("the store does not answer")
        super().put_blob(source, digest)


def test_a_store_that_is_away_is_no_missing_project(site, rows, tmp_path, clock):
    site.add_sdist("demo", "1.0")
    site.add_sdist("other", "1.0")
    store = AwayStore(tmp_path / "store")

    def process():
        upstream = Upstream(PipIndex(url=site.url), attempts=1, patience=1)
        return UpstreamPages(rows, store, lambda: upstream, clock=clock)

    pages = process()
    pages.page("demo")
    store.away = True
    assert names(pages.page("demo")) == ["demo-1.0.tar.gz"], "it is in memory"
    with pytest.raises(StoreUnavailable):
        process().page("demo")
    with pytest.raises(StoreUnavailable):
        pages.page("other")
    assert rows.page("other") is None
    store.away = False
    assert names(pages.page("other")) == ["other-1.0.tar.gz"]
