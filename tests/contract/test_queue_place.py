"""Where a job stands and how long it waits, by the history of the like, on both databases."""

from __future__ import annotations

import pytest

from wheelyard.jobs.queue_place import QueuePlaces
from wheelyard.jobs.states import Kind, State
from wheelyard.jobs.workers import WorkerIdentity, WorkerRegistry

TOOLCHAIN = "debian12-cp311"
QUEUE = f"toolchain.{TOOLCHAIN}"


@pytest.fixture
def places(ledger, clock):
    return QueuePlaces(ledger, clock)


@pytest.fixture
def works(database, clock):
    """A worker that says it lives."""

    def beat(slots=1, *, queues=(QUEUE,), draining=False, owner="w1"):
        worker = WorkerIdentity(owner=owner, host="h", pid=1, version="1", queues=queues, slots=slots)
        WorkerRegistry(database, clock).beat(worker, draining=draining)

    return beat


def submit(ledger, key, subject="", kind=Kind.WHEEL, **options):
    job, _joined = ledger.submit(
        kind, key, spec={}, title=key, toolchain=TOOLCHAIN, subject=subject, **options
    )
    return job


def took(ledger, clock, subject, seconds):
    job = submit(ledger, f"earlier {subject} {seconds}", subject)
    claim = ledger.claim(job.id, "w", 1e6)
    clock.now += seconds
    ledger.succeed(claim, {})


def test_the_wait_is_what_runs_and_what_goes_before_over_the_slots(ledger, places, clock, works):
    took(ledger, clock, "numpy", 300)
    took(ledger, clock, "six", 2)
    works(slots=2)
    ledger.claim(submit(ledger, "a", "numpy").id, "w", 30)
    submit(ledger, "b", "numpy")
    submit(ledger, "c", "six")
    place = places.of(submit(ledger, "d", "numpy"))
    assert (place.place, place.ahead, place.wait_seconds, place.usual_seconds) == (4, 3, 301.0, 300.0)


def test_what_was_never_built_is_taken_for_the_median_of_its_toolchain(ledger, places, clock, works):
    for subject, seconds in (("numpy", 300), ("six", 2), ("regex", 40)):
        took(ledger, clock, subject, seconds)
    works()
    submit(ledger, "a", "unheard-of")
    assert places.of(submit(ledger, "b", "six")).wait_seconds == 40.0


def test_without_history_or_without_workers_the_wait_is_not_known(ledger, places, clock, works):
    submit(ledger, "a", "numpy")
    job = submit(ledger, "b", "numpy")
    assert places.of(job).wait_seconds is None
    works()
    clock.now += 6
    place = places.of(job)
    assert (place.place, place.wait_seconds, place.usual_seconds) == (2, None, None)


def test_only_live_workers_of_the_queue_count(ledger, places, clock, works):
    took(ledger, clock, "numpy", 60)
    works(owner="silent")
    clock.now += 31
    works(owner="elsewhere", queues=("plans",))
    works(owner="leaving", draining=True)
    submit(ledger, "a", "numpy")
    job = submit(ledger, "b", "numpy")
    assert places.of(job).wait_seconds is None
    works(owner="here")
    clock.now += 6
    assert places.of(job).wait_seconds == 60.0


def test_with_a_free_slot_nothing_waits(ledger, places, works):
    works(slots=4)
    submit(ledger, "a", "numpy")
    assert places.of(submit(ledger, "b", "numpy")).wait_seconds == 0.0


def test_all_places_at_once_are_those_of_each_by_itself(ledger, places, clock, works):
    took(ledger, clock, "numpy", 100)
    works()
    ledger.claim(submit(ledger, "runs", "numpy").id, "w", 30)
    for number in range(5):
        submit(ledger, f"a{number}", "numpy", client="ada")
    for number in range(3):
        submit(ledger, f"b{number}", "numpy", client="bob")
    submit(ledger, "plan", kind=Kind.BUILD)
    jobs = ledger.latest()
    found = places.of_all(jobs)
    for job in jobs:
        assert found.get(job.id) == places.of(job), job.title
    waiting = sorted(place.place for job, place in found.items() if ledger.get(job).queue == QUEUE)
    assert waiting == [0, 2, 3, 4, 5, 6, 7, 8, 9]


def test_what_only_waits_for_others_is_ahead_of_nobody(ledger, places):
    parent = submit(ledger, "parent", kind=Kind.BUILD)
    child = submit(ledger, "child", "numpy", waiter=parent.id)
    ledger.park(ledger.claim(parent.id, "w", 30), [child.id], {})
    assert places.of(submit(ledger, "next", kind=Kind.BUILD)).place == 1


def test_a_build_waits_as_long_as_the_slowest_of_its_wheels(ledger, places, clock, works):
    took(ledger, clock, "numpy", 300)
    took(ledger, clock, "six", 2)
    works()
    parent = submit(ledger, "parent", kind=Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    numpy, six = (submit(ledger, name, name, waiter=parent.id) for name in ("numpy", "six"))
    ledger.park(claim, [numpy.id, six.id], {})
    ledger.claim(numpy.id, "w", 30)
    clock.now += 100
    works()
    job = ledger.get(parent.id)
    found = places.family(job, ledger.get_many(job.children))
    # numpy has 200 s left; six waits for all of numpy's usual time, and then for its own.
    assert found[six.id].wait_seconds == 300.0
    assert found[parent.id].wait_seconds == 302.0
    assert found[numpy.id].wait_seconds == 0.0


def test_a_long_queue_is_counted_no_further_than_asked(ledger, places):
    for number in range(12):
        submit(ledger, f"a{number}")
    job = submit(ledger, "last")
    assert (places.of(job, 12).place, places.of(job, 11).place) == (13, None)


def test_what_ended_stands_nowhere(ledger, places):
    job = ledger.cancel(submit(ledger, "a").id, "api")
    assert (job.state, places.of(job), places.of_all([job])) == (State.CANCELLED, None, {})
