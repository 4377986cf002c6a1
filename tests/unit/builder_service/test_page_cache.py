"""Pages that are kept: made once, never older than what this process wrote, and given way to by others."""

import asyncio
import gzip
import threading

import pytest

from builder_service import page_cache
from builder_service.page_cache import EVERY_CHANNEL, Page, PageCache
from builder_service.page_response import page_answer, takes_gzip
from wheelyard.errors import InfrastructureError, NotFound


class World:
    """A database that counts its questions, and the channels' numbers in it."""

    def __init__(self):
        self.writes, self.asked, self.made = 0, 0, 0
        self.numbers = {"default": (("default", 1),), "team": (("team", 1), ("default", 1))}
        self.out = False

    def stamps(self):
        self.asked += 1
        if self.out:
            raise InfrastructureError("the database does not answer")
        return dict(self.numbers)

    def make(self):
        self.made += 1
        return Page.of(f"page {self.made}".encode(), "text/html")


@pytest.fixture
def world():
    return World()


@pytest.fixture
def cache(world):
    return PageCache(world, world, most_bytes=4000)


def run(scenario):
    asyncio.run(scenario())


def test_a_page_is_made_once_and_then_costs_no_question(world, cache):
    async def scenario():
        first = await cache.get("default", "acme", "html", world.make)
        for _ in range(5):
            assert await cache.get("default", "acme", "html", world.make) is first
        assert cache.ready("default", "acme", "html") is first
        assert (world.made, world.asked) == (1, 1)

    run(scenario)


def test_many_that_ask_at_once_wait_for_one_making(world, cache):
    async def scenario():
        pages = await asyncio.gather(*(cache.get("default", "a", "html", world.make) for _ in range(30)))
        assert (world.made, world.asked, len({id(page) for page in pages})) == (1, 1, 1)

    run(scenario)


def test_after_a_write_of_this_process_no_older_page_is_given(world, cache):
    async def scenario():
        await cache.get("default", "acme", "html", world.make)
        world.writes, world.numbers["default"] = 1, (("default", 2),)
        assert cache.ready("default", "acme", "html") is None
        assert (await cache.get("default", "acme", "html", world.make)).body == b"page 2"

    run(scenario)


def test_a_write_during_the_making_makes_it_anew(world, cache):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        go_on.wait(10)
        return Page.of(b"old", "text/html")

    async def scenario():
        old = asyncio.create_task(cache.get("default", "acme", "html", slow))
        await asyncio.to_thread(begun.wait, 10)
        world.writes, world.numbers["default"] = 1, (("default", 2),)
        assert (await cache.get("default", "acme", "html", world.make)).body == b"page 1"
        go_on.set()
        assert (await old).body == b"old"
        # What was begun before the change is kept under the number of then, so that it is given to nobody.
        assert (await cache.get("default", "acme", "html", world.make)).body != b"old"

    run(scenario)


def test_what_others_wrote_is_seen_when_the_numbers_are_old(world, cache, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(page_cache.time, "monotonic", lambda: now[0])

    async def scenario():
        await cache.get("default", "acme", "html", world.make)
        world.numbers["default"] = (("default", 2),)
        now[0] += 0.7
        assert (await cache.get("default", "acme", "html", world.make)).body == b"page 1"
        now[0] += 0.2
        assert (await cache.get("default", "acme", "html", world.make)).body == b"page 2"

    run(scenario)


def test_a_page_with_upstreams_part_holds_only_for_a_while(world, cache, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(page_cache.time, "monotonic", lambda: now[0])

    def make():
        world.made += 1
        return Page.of(f"page {world.made}".encode(), "text/html", fresh_seconds=10)

    async def scenario():
        for later, made in ((0, 1), (9, 1), (2, 2)):
            now[0] += later
            await cache.get("default", "acme", "html", make)
            assert world.made == made

    run(scenario)


def test_an_outage_is_an_error_and_no_page(world, cache):
    async def scenario():
        await cache.get("default", "acme", "html", world.make)
        world.writes, world.out = 1, True
        for _ in range(2):
            with pytest.raises(InfrastructureError):
                await cache.get("default", "acme", "html", world.make)
        world.out = False
        assert (await cache.get("default", "acme", "html", world.make)).body == b"page 1"

    run(scenario)


def test_what_is_not_there_is_not_kept_and_no_channel_is_an_error(world, cache):
    async def scenario():
        assert await cache.get("default", "acme", "html", lambda: None) is None
        assert (await cache.get("default", "acme", "html", world.make)).body == b"page 1"
        assert await cache.get(EVERY_CHANNEL, "x", "metadata", world.make) is not None
        with pytest.raises(NotFound, match="no channel nightly"):
            await cache.get("nightly", "acme", "html", world.make)

    run(scenario)


def test_pages_that_nobody_asks_for_make_room(world, cache):
    async def scenario():
        for name in ("a", "b", "c"):
            await cache.get("default", name, "html", world.make)
        assert cache.ready("default", "a", "html") is not None
        await cache.get("default", "d", "html", world.make)
        assert [cache.ready("default", name, "html") is not None for name in "abcd"] == [
            True, False, True, True,
        ]  # fmt: skip

    run(scenario)


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip, deflate, br", True),
        ("GZIP;q=0.1", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("", False),
        ("gzip;q=x", False),
        ("*;q=0", False),
    ],
)
def test_a_page_is_compressed_for_who_takes_that(header, takes):
    assert takes_gzip(header) is takes


def test_each_encoding_has_a_strong_tag_of_its_own():
    page = Page.of(b"x" * 1000, "text/html")
    plain, packed = page_answer(page, "", ""), page_answer(page, "gzip", "")
    assert (plain[2], gzip.decompress(packed[2])) == (page.body, page.body)
    assert plain[1]["ETag"] != packed[1]["ETag"]
    assert packed[1]["Content-Encoding"] == "gzip"
    assert (len(plain[2]), len(packed[2])) == (
        int(plain[1]["Content-Length"]),
        int(packed[1]["Content-Length"]),
    )
    assert page_answer(page, "gzip", packed[1]["ETag"])[0] == 304
    assert page_answer(page, "gzip", plain[1]["ETag"])[0] == 200
    assert page_answer(page, "", f'"x", {plain[1]["ETag"]}')[0] == 304


def test_the_same_page_has_the_same_bytes_and_tag_in_every_process():
    assert Page.of(b"x" * 1000, "text/html") == Page.of(b"x" * 1000, "text/html")
    assert Page.of(b"x" * 1000, "text/html").etag != Page.of(b"x" * 1000, "application/json").etag
