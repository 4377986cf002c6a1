"""A job's events on their way to streams that are lost, out or slow."""

import pytest

from tests.unit.worker.live_streams import LiveStreams
from worker import live_feed
from worker.live_feed import ATTEMPT, LiveFeed


@pytest.fixture
def streams():
    return LiveStreams()


@pytest.fixture
def parents():
    return ["p"]


@pytest.fixture
def feed(streams, parents, monkeypatch):
    monkeypatch.setattr(live_feed, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(live_feed, "_TICK_SECONDS", 0.05)
    monkeypatch.setattr(live_feed, "_FIRST_PAUSE", 0.05)
    made = feed_of(streams, parents)
    yield made
    made.end()


def feed_of(streams, parents, attempt=1):
    return LiveFeed(
        streams, job="j", title="demo", streams=lambda: list(parents), attempt=attempt, shown=str,
        clock=lambda: 100.0,
    )  # fmt: skip


def say(feed, *names):
    for name in names:
        feed.say("phase", name=name)


def names(streams, stream="j"):
    return [event.facts.get("name") or event.facts["text"] for event in streams.told(stream)]


def test_a_stream_that_was_lost_gets_everything_again_under_the_same_ids(feed, streams, until):
    say(feed, "a", "b")
    feed.flush(5)
    before = dict(streams.streams)
    streams.lose()
    say(feed, "c")
    until(lambda: names(streams) == names(streams, "p") == ["a", "b", "c"])
    for stream in ("j", "p"):
        assert streams.streams[stream][:2] == before[stream][:2]


def test_a_loss_is_seen_while_the_job_says_nothing(feed, streams, until):
    say(feed, "a")
    feed.flush(5)
    streams.lose()
    until(lambda: names(streams) == ["a"])


def test_what_was_said_during_an_outage_is_told_after_it(feed, streams, until):
    say(feed, "a")
    feed.flush(5)
    streams.out = True
    say(feed, "b", "c")
    assert not feed.flush(1)
    streams.out = False
    until(lambda: names(streams) == ["a", "b", "c"])


def test_an_outage_holds_nobody_up(feed, streams, until):
    streams.out = True
    say(feed, "a")
    until(lambda: feed._out)
    assert not feed.flush(60)


def test_what_had_to_be_let_go_is_told_as_a_number_of_lines(feed, streams, until, monkeypatch):
    monkeypatch.setattr(live_feed, "_KEPT_EVENTS", 3)
    say(feed, "a")
    feed.flush(5)
    streams.out = True
    say(feed, *"bcdefg")
    streams.out = False
    until(lambda: names(streams) == ["a", "… 3 lines only in the log", "e", "f", "g"])
    assert [event.seq - ATTEMPT for event in streams.told("j")] == [1, 4, 5, 6, 7]


def test_who_joins_late_hears_what_happened_lately(feed, streams, parents, until, monkeypatch):
    monkeypatch.setattr(live_feed, "_JOINED", 2)
    say(feed, "a", "b", "c")
    feed.flush(5)
    parents.append("q")
    until(lambda: names(streams, "q") == ["b", "c"])
    say(feed, "d")
    until(lambda: names(streams, "q") == ["b", "c", "d"])


def test_a_later_attempt_goes_on_in_the_same_streams(feed, streams, parents):
    say(feed, "a")
    feed.flush(5)
    second = feed_of(streams, parents, attempt=2)
    say(second, "b")
    assert second.flush(5)
    assert names(streams) == ["a", "b"]
    second.end()


def test_an_attempt_that_was_given_up_is_not_heard_any_more(feed, streams, parents):
    say(feed, "a")
    feed.flush(5)
    second = feed_of(streams, parents, attempt=2)
    say(second, "b")
    second.flush(5)
    say(feed, "zombie")
    feed.flush(5)
    assert names(streams) == ["a", "b"]
    second.end()


def test_a_database_that_is_out_costs_no_event_of_the_jobs_own(streams, monkeypatch):
    from wheelyard.errors import InfrastructureError

    def out():
        raise InfrastructureError("the database is away")

    feed = LiveFeed(streams, job="j", title="", streams=out, attempt=1, shown=str)
    say(feed, "a")
    assert feed.flush(5)
    feed.end()


def test_what_is_said_while_another_stream_is_told_reaches_all_of_them(feed, streams, monkeypatch):
    append = streams.append

    def interrupted(stream, job, events, after):
        if stream == "p" and feed._seq == ATTEMPT + 1:
            answer = append(stream, job, events, after)
            say(feed, "b")
            return answer
        return append(stream, job, events, after)

    monkeypatch.setattr(streams, "append", interrupted)
    say(feed, "a")
    feed.flush(5)
    assert feed.flush(5)
    assert names(streams) == names(streams, "p") == ["a", "b"]
