"""The register of workers, on each database."""

import pytest

from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.jobs.workers import BEAT_SECONDS, WorkerIdentity, WorkerRegistry


@pytest.fixture
def registry(database, clock):
    return WorkerRegistry(database, clock)


def worker(owner="host/1/a", queues=("plans",)):
    return WorkerIdentity(
        owner=owner, host="host", pid=1, version="1.0", queues=queues, slots=4, cores=2.0, memory=8 << 30
    )


def test_a_worker_that_beats_is_known_with_what_it_said_of_itself(registry, clock):
    registry.beat(worker(), draining=False)
    begun = clock.now
    clock.now += 3
    (seen,) = registry.list()
    assert (seen.owner, seen.queues, seen.memory, seen.slots) == ("host/1/a", ("plans",), 8 << 30, 4)
    assert (seen.started_at, seen.seen_at, seen.age, seen.draining) == (begun, begun, 3, False)


def test_a_beat_tells_that_it_drains_and_keeps_when_it_started(registry, clock):
    registry.beat(worker(), draining=False)
    begun = clock.now
    clock.now += 3
    registry.beat(worker(), draining=True)
    (seen,) = registry.list()
    assert (seen.started_at, seen.age, seen.draining) == (begun, 0, True)


def test_a_worker_that_missed_its_beats_is_silent(registry, clock):
    registry.beat(worker(), draining=False)
    clock.now += 2 * BEAT_SECONDS
    assert not registry.list()[0].silent
    clock.now += 3 * BEAT_SECONDS
    assert registry.list()[0].silent


def test_a_worker_that_leaves_is_gone_and_leaves_once_more(registry):
    registry.beat(worker(), draining=False)
    registry.leave("host/1/a")
    registry.leave("host/1/a")
    assert registry.list() == []


def test_who_was_not_seen_for_a_day_is_forgotten_when_another_comes(registry, clock):
    registry.beat(worker("old"), draining=False)
    clock.now += 86_000
    registry.beat(worker("newer"), draining=False)
    clock.now += 1_000
    registry.beat(worker("newest"), draining=False)
    assert [seen.owner for seen in registry.list()] == ["newer", "newest"]


def test_the_jobs_that_a_worker_holds_have_the_time_of_their_last_claim(registry, database, clock):
    ledger = Ledger(database, clock)
    job, _ = ledger.submit(Kind.WHEEL, "a" * 64, spec={}, title="numpy 2", toolchain="t")
    ledger.release(ledger.claim(job.id, "first", 30), "it stops")
    clock.now += 7
    claim = ledger.claim(job.id, "second", 30)
    ledger.advance(claim, "compile")
    ledger.submit(Kind.WHEEL, "b" * 64, spec={}, title="waits", toolchain="t")
    held = registry.held()
    assert list(held) == ["second"]
    (one,) = held["second"]
    assert (one.id, one.kind, one.title, one.phase, one.since) == (
        job.id, Kind.WHEEL, "numpy 2", "compile", clock.now,
    )  # fmt: skip
    ledger.succeed(claim, {})
    assert registry.held() == {}
