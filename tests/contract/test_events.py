"""One suite for the live events: the reader for threads and the one for the event loop, on real Redis."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time

import pytest

from tests.unit.worker.live_streams import LiveStreams
from wheelyard.errors import QueueUnavailable
from wheelyard.event import Event, Seen
from wheelyard.events import RedisEventListener, RedisEventStream, follow


class ThreadReader:
    """Reads as a thread does."""

    def __init__(self, url):
        self.stream = RedisEventStream(url)

    def read(self, stream, after, wait_seconds):
        return self.stream.read(stream, after, wait_seconds)

    def close(self):
        self.stream.close()


class LoopReader:
    """Reads as the front door's event loop does."""

    def __init__(self, url):
        self.runner = asyncio.Runner()
        self.listener = RedisEventListener(url)

    def read(self, stream, after, wait_seconds):
        return self.runner.run(self.listener.read(stream, after, wait_seconds))

    def close(self):
        self.runner.run(self.listener.close())
        self.runner.close()


READERS = pytest.mark.parametrize("kind", [ThreadReader, LoopReader])


@pytest.fixture
def events(redis_url):
    stream = RedisEventStream(redis_url)
    yield stream
    stream.close()


@pytest.fixture
def reader(kind, redis_url):
    reader = kind(redis_url)
    yield reader
    reader.close()


@pytest.fixture
def job():
    return secrets.token_hex(16)


def line(job, text="hello"):
    return Event(type="line", job=job, title="numpy 2.4.6", at=1.5, facts={"text": text})


@READERS
def test_what_was_added_is_read_in_order(events, reader, job):
    for number in range(3):
        events.add([job], line(job, str(number)))
    read = reader.read(job, "0", 0)
    assert [event for _entry, event in read] == [line(job, str(number)) for number in range(3)]


@READERS
def test_reading_goes_on_after_an_entry(events, reader, job):
    for number in range(4):
        events.add([job], line(job, str(number)))
    second = reader.read(job, "0", 0)[1][0]
    assert [event.facts["text"] for _entry, event in reader.read(job, second, 0)] == ["2", "3"]


@READERS
def test_an_event_is_in_every_stream_that_it_was_added_to(events, reader, job):
    parent = secrets.token_hex(16)
    events.add([job, parent], line(job))
    assert [event.job for _entry, event in reader.read(parent, "0", 0)] == [job]
    assert [event.job for _entry, event in reader.read(job, "0", 0)] == [job]


@READERS
def test_looking_does_not_wait(reader, job):
    begun = time.monotonic()
    assert reader.read(job, "0", 0) == []
    assert time.monotonic() - begun < 5


@READERS
def test_waiting_ends_in_time_without_an_event(reader, job):
    begun = time.monotonic()
    assert reader.read(job, "0", 0.3) == []
    assert 0.25 < time.monotonic() - begun < 10


@READERS
def test_waiting_ends_with_the_first_event(events, reader, job):
    reader.read(job, "0", 0)
    timer = threading.Timer(0.2, events.add, ([job], line(job)))
    timer.start()
    begun = time.monotonic()
    assert len(reader.read(job, "0", 25)) == 1
    assert time.monotonic() - begun < 15
    timer.join()


@READERS
def test_a_long_stream_comes_in_pieces_and_whole(events, reader, job):
    for number in range(1200):
        events.add([job], line(job, str(number)))
    after, texts = "0", []
    while batch := reader.read(job, after, 0):
        after = batch[-1][0]
        texts += [event.facts["text"] for _entry, event in batch]
    assert texts == [str(number) for number in range(1200)]


@READERS
def test_a_server_that_does_not_answer_is_an_outage_and_not_an_empty_stream(kind, job):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reader = kind(f"redis://127.0.0.1:{taken.getsockname()[1]}/0")
        with pytest.raises(QueueUnavailable, match="Redis does not answer"):
            reader.read(job, "0", 0)
        reader.close()


def test_many_listeners_of_one_job_wait_without_threads(events, redis_url, job):
    async def listen():
        listener = RedisEventListener(redis_url)
        waiting = [asyncio.create_task(listener.read(job, "0", 10)) for _ in range(100)]
        await asyncio.sleep(0.5)
        threads = threading.active_count()
        await asyncio.to_thread(events.add, [job], line(job))
        batches = await asyncio.gather(*waiting)
        await listener.close()
        return threads, batches

    before = threading.active_count()
    threads, batches = asyncio.run(listen())
    assert threads <= before + 1
    assert [len(batch) for batch in batches] == [1] * 100


def test_a_listener_that_leaves_in_the_middle_disturbs_nobody(events, redis_url, job):
    async def leave_and_listen():
        listener = RedisEventListener(redis_url)
        leaving = asyncio.create_task(listener.read(job, "0", 10))
        await asyncio.sleep(0.2)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await asyncio.to_thread(events.add, [job], line(job))
        read = await listener.read(job, "0", 1)
        await listener.close()
        return read

    assert [event for _entry, event in asyncio.run(leave_and_listen())] == [line(job)]


class RedisStreams:
    """Real streams, looked at as the fake's are."""

    def __init__(self, url):
        self.stream = RedisEventStream(url)
        self.append = self.stream.append

    def entries(self, stream):
        return self.stream.read(stream, "0", 0)

    def lose(self, stream):
        self.stream._redis.delete(f"wheelyard:events:{stream}")


class FakeStreams(LiveStreams):
    def entries(self, stream):
        return self.streams.get(stream, [])

    def lose(self, _stream):
        super().lose()


@pytest.fixture(params=["redis", "fake"])
def streams(request):
    """Both kinds of streams that the worker's tests write to."""
    return RedisStreams(request.getfixturevalue("redis_url")) if request.param == "redis" else FakeStreams()


def numbered(job, *numbers):
    return [
        ("", Event(type="line", job=job, at=1.0, seq=number, facts={"text": str(number)}))
        for number in numbers
    ]


def numbers(streams, stream):
    return [event.seq for _entry, event in streams.entries(stream)]


def test_numbered_events_are_appended_in_order(streams, job):
    answer = streams.append(job, job, numbered(job, 1, 2, 3), -1)
    assert answer.last == 3
    assert list(answer.ids) == [entry for entry, _event in streams.entries(job)]
    assert numbers(streams, job) == [1, 2, 3]


def test_an_append_that_is_repeated_adds_nothing(streams, job):
    streams.append(job, job, numbered(job, 1, 2), -1)
    answer = streams.append(job, job, numbered(job, 1, 2, 3), 0)
    assert answer.last == 3
    assert answer.ids[:2] == ("", "")
    assert numbers(streams, job) == [1, 2, 3]


def test_each_job_has_numbers_of_its_own_in_a_stream_that_they_share(streams, job):
    parent = secrets.token_hex(16)
    streams.append(parent, "a", numbered("a", 5), -1)
    streams.append(parent, "b", numbered("b", 1), -1)
    streams.append(parent, "a", numbered("a", 6), 5)
    assert numbers(streams, parent) == [5, 1, 6]


def test_a_stream_that_lost_what_it_had_takes_nothing_and_says_so(streams, job):
    streams.append(job, job, numbered(job, 1, 2), -1)
    streams.lose(job)
    answer = streams.append(job, job, numbered(job, 3), 2)
    assert (answer.last, answer.ids) == (0, ())
    assert numbers(streams, job) == []


def test_what_was_lost_comes_back_under_its_ids(streams, job):
    ids = streams.append(job, job, numbered(job, 1, 2), -1).ids
    streams.lose(job)
    again = [(given, event) for given, (_none, event) in zip(ids, numbered(job, 1, 2), strict=True)]
    assert streams.append(job, job, again, 0).ids == ids
    assert [entry for entry, _event in streams.entries(job)] == list(ids)


def test_looking_adds_nothing(streams, job):
    assert streams.append(job, job, [], -1).last == 0
    streams.append(job, job, numbered(job, 4), -1)
    assert streams.append(job, job, [], 4).last == 4
    assert numbers(streams, job) == [4]


def test_an_id_that_came_too_late_becomes_a_new_one(redis_url, job):
    streams = RedisStreams(redis_url)
    first = streams.append(job, "a", numbered("a", 1), -1).ids[0]
    streams.append(job, "b", numbered("b", 1), -1)
    streams.lose(job)
    streams.append(job, "b", numbered("b", 1), 0)
    again = streams.append(job, "a", [(first, numbered("a", 1)[0][1])], 0)
    assert again.ids[0] > first
    assert numbers(streams, job) == [1, 1]


def test_a_stream_without_its_numbers_takes_them_again(redis_url, job):
    streams = RedisStreams(redis_url)
    streams.append(job, job, numbered(job, 1, 2), -1)
    streams.stream._redis.delete(f"wheelyard:events:{job}:last")
    assert streams.append(job, job, numbered(job, 3), 2).last == 0
    streams.append(job, job, numbered(job, 1, 2, 3), 0)
    seen = Seen()
    assert [event.seq for _entry, event in streams.entries(job) if seen.is_new(event)] == [1, 2, 3]


def test_what_a_listener_saw_is_told_by_where_it_stands(redis_url, job):
    streams = RedisStreams(redis_url)
    ids = streams.append(job, "a", numbered("a", 1, 2, 3), -1).ids

    async def look():
        listener = RedisEventListener(redis_url)
        seen = await listener.seen(job, ids[1])
        await listener.close()
        return seen

    seen = asyncio.run(look())
    assert [seen.is_new(event) for _none, event in numbered("a", 1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize(("after", "ahead"), [("1-0", False), ("99999999999999-0", True)])
def test_an_id_from_the_future_is_ahead(redis_url, job, after, ahead):
    RedisStreams(redis_url).append(job, job, numbered(job, 1), -1)

    async def look():
        listener = RedisEventListener(redis_url)
        answer = await listener.is_ahead(job, after)
        await listener.close()
        return answer

    assert asyncio.run(look()) is ahead


def test_following_ends_with_the_jobs_own_done(events, job):
    child = secrets.token_hex(16)
    events.add([job], line(job))
    events.add([job], Event(type="done", job=child, at=2.0, facts={"state": "succeeded"}))
    events.add([job], Event(type="done", job=job, at=3.0, facts={"state": "failed"}))
    events.add([job], line(job, "too late"))
    followed = [item[1].type for item in follow(events, job) if item is not None]
    assert followed == ["line", "done", "done"]


def test_following_lets_its_caller_look_up(events, job):
    assert next(follow(events, job, wait_seconds=0.05)) is None
