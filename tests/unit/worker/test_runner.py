"""What a worker takes on and how each job ends, on a real ledger with handlers of the test's own."""

import errno
import threading
import time

import pytest

from tests.databases import migrated_sqlite
from wheelyard.catalogue import Catalogue
from wheelyard.errors import BuildFailed, Cancelled, InfrastructureError
from wheelyard.events import Appended
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind, Priority, State
from wheelyard.limits import AskedLimits, Limits
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from worker.capacity import Capacity, Machine
from worker.claimed_job import ClaimedJob
from worker.context import Services
from worker.outcome import Done, Parked
from worker.runner import Runner

GIGABYTE = 1 << 30
QUEUE = "toolchain.t"


class Bell:
    def __init__(self):
        self.rung = []

    def ring(self, job_id, queue):
        self.rung.append(job_id)


class Events:
    def __init__(self):
        self.heard = []

    def append(self, stream, job, events, after):
        self.heard += [event for _entry, event in events]
        last = max((event.seq for _entry, event in events), default=after)
        return Appended(last=last, ids=("1-1",) * len(events))


class Clock:
    """The real time, and what was skipped."""

    def __init__(self):
        self.skipped = 0.0

    def __call__(self):
        return time.time() + self.skipped

    def rest(self):
        """Let a minute pass."""
        self.skipped += 60


class World:
    """A ledger, a store in a folder, and a runner whose one handler is given."""

    def __init__(self, tmp_path):
        self.settings = Settings(data_dir=tmp_path, lease_seconds=3.0, max_attempts=2)
        database = Database(migrated_sqlite(tmp_path / "jobs.db"))
        self.bell = Bell()
        self.clock = Clock()
        self.ledger = Ledger(database, self.clock)
        catalogue = Catalogue(database)
        self.services = Services(
            settings=self.settings, ledger=self.ledger, catalogue=catalogue,
            requests=Requests(self.ledger, catalogue, self.bell, 60), store=FolderStore(tmp_path / "store"),
            engine=None, owner="me",
        )  # fmt: skip
        self.events = Events()

    def runner(self, handler, *, cores=4, memory=64 * GIGABYTE, slots=0, elsewhere=0, kind=Kind.WHEEL):
        capacity = Capacity(Machine(cores=cores, memory=memory), slots, lambda _queue: elsewhere)
        return Runner(
            self.services, [QUEUE], capacity, ClaimedJob(self.services, self.events, {kind: handler})
        )

    def submit(self, key="a" * 64, *, memory=0, priority=Priority.INTERACTIVE, kind=Kind.WHEEL):
        spec = {"n": 1}
        if memory:
            asked = AskedLimits(memory=memory)
            spec["limits"] = Limits.of(self.settings, asked).to_document()
        return self.ledger.submit(
            kind,
            key.ljust(64, "f"),
            spec=spec,
            title=f"demo {key[:8]}",
            toolchain="t",
            priority=priority,
        )[0].id


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_job_that_is_done_has_its_result_and_its_log(world):
    job = world.submit()

    def handler(work):
        with work.phase("compile"):
            work.log.line("hello")
        return Done(result={"wheel": 1})

    world.runner(handler).run(job)
    after = world.ledger.get(job)
    assert (after.state, after.result) == (State.SUCCEEDED, {"wheel": 1})
    assert after.log.startswith("sha256:")
    assert [event.type for event in world.events.heard] == ["state", "phase", "line", "done"]
    assert not any((world.settings.data_dir / "scratch").iterdir())


def test_a_second_ring_for_a_job_that_runs_or_ended_does_nothing(world):
    job = world.submit()
    runs = []

    def handler(work):
        runs.append(1)
        world.runner(handler).run(job)
        return Done(result={})

    runner = world.runner(handler)
    runner.run(job)
    runner.run(job)
    assert runs == [1]


def test_a_failed_compile_is_never_tried_again(world):
    job = world.submit()

    def handler(work):
        raise BuildFailed("demo failed", found="a.c:1: error: no")

    world.runner(handler).run(job)
    after = world.ledger.get(job)
    assert after.state is State.FAILED
    assert after.error["found"] == "a.c:1: error: no"
    assert world.events.heard[-1].facts["state"] == "failed"


def test_a_failure_of_the_infrastructure_is_tried_again_a_few_times(world):
    job = world.submit()

    def handler(work):
        raise InfrastructureError("the store is out")

    runner = world.runner(handler)
    runner.run(job)
    assert world.ledger.get(job).state is State.QUEUED
    world.clock.rest()
    runner.run(job)
    assert world.ledger.get(job).state is State.FAILED


def test_a_defect_of_ours_ends_the_job_and_not_the_worker(world):
    job = world.submit()

    def handler(work):
        raise ZeroDivisionError

    runner = world.runner(handler)
    runner.run(job)
    world.clock.rest()
    runner.run(job)
    assert world.ledger.get(job).state is State.FAILED


def test_a_parked_job_goes_on_when_its_children_have_ended(world):
    parent, child = world.submit(), world.submit("b" * 64)

    def handler(work):
        if work.claim.id == child:
            return Done(result={})
        if "again" not in work.claim.job.spec:
            return Parked(children=(child,), spec={"again": True})
        return Done(result={"saw": work.claim.job.spec})

    world.runner(handler, slots=1).run()
    assert world.bell.rung == [parent]
    assert world.ledger.get(parent).result == {"saw": {"again": True, "phases": {}}}


def test_a_cancelled_job_is_halted_and_ends_as_cancelled(world):
    job = world.submit()
    started = threading.Event()
    killed = []

    def handler(work):
        work.on_stop.append(lambda: killed.append(1))
        started.set()
        work.stop.wait(20)
        work.check()
        return Done(result={})

    thread = threading.Thread(target=world.runner(handler).run, args=(job,))
    thread.start()
    started.wait(5)
    world.ledger.cancel(job, "test")
    thread.join(20)
    assert killed == [1]
    assert world.ledger.get(job).state is State.CANCELLED


def test_who_lost_the_lease_writes_nothing(world):
    job = world.submit()

    def handler(work):
        world.ledger._clock = lambda: time.time() + 3600
        world.ledger.take_back(5)
        world.ledger._clock = time.time
        runner.drain()
        return Done(result={"zombie": True})

    runner = world.runner(handler)
    runner.run(job)
    after = world.ledger.get(job)
    assert (after.state, after.result) == (State.QUEUED, None)


class Gate:
    """A handler whose jobs stay until they are let go, and which notes how many run together."""

    def __init__(self):
        self.titles = []
        self.running = 0
        self.most = 0
        self.opened = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, work):
        with self._lock:
            self.titles.append(work.claim.job.title)
            self.running += 1
            self.most = max(self.most, self.running)
        while not self.opened.wait(0.02):
            if work.stop.is_set():
                break
        with self._lock:
            self.running -= 1
        work.check()
        return Done(result={})


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.opened.set()


def test_one_ring_takes_what_is_there_in_its_turn_whatever_was_rung_for(world):
    titles = []

    def handler(work):
        titles.append(work.claim.job.title)
        return Done(result={})

    late = world.submit("late", priority=Priority.BATCH)
    for name in ("first", "second"):
        world.submit(name)
    world.runner(handler, cores=1).run(late)
    assert titles == ["demo first", "demo second", "demo late"]


def test_as_many_jobs_run_at_once_as_there_are_cores(world, gate, until):
    for number in range(5):
        world.submit(f"{number}")
    runner = world.runner(gate, cores=3)
    runner.look()
    until(lambda: gate.running == 3)
    gate.opened.set()
    assert runner.wait_idle(10)
    assert (gate.most, len(gate.titles)) == (3, 5)


def test_a_job_that_does_not_fit_waits_and_nothing_overtakes_it(world, gate, until):
    world.submit("a", memory=6 * GIGABYTE)
    runner = world.runner(gate, memory=8 * GIGABYTE)
    runner.look()
    until(lambda: gate.running == 1)
    world.submit("large", memory=8 * GIGABYTE)
    world.submit("small", memory=GIGABYTE)
    runner.look()
    assert gate.titles == ["demo a"]
    gate.opened.set()
    assert runner.wait_idle(10)
    assert gate.titles == ["demo a", "demo large", "demo small"]


def test_a_job_that_is_larger_than_the_worker_is_left_to_one_that_is_large_enough(world, gate):
    large = world.submit("large", memory=32 * GIGABYTE)
    small = world.submit("small", memory=GIGABYTE)
    gate.opened.set()
    world.runner(gate, memory=8 * GIGABYTE, elsewhere=64 * GIGABYTE).run()
    assert world.ledger.get(large).state is State.QUEUED
    assert world.ledger.get(small).state is State.SUCCEEDED


def test_many_jobs_for_larger_workers_do_not_hide_the_one_that_fits(world, gate):
    for number in range(20):
        world.submit(f"large{number}", memory=32 * GIGABYTE)
    small = world.submit("small", memory=GIGABYTE)
    gate.opened.set()
    world.runner(gate, memory=8 * GIGABYTE, elsewhere=64 * GIGABYTE).run()
    assert world.ledger.get(small).state is State.SUCCEEDED


@pytest.mark.parametrize("kind", [Kind.WHEEL, Kind.NATIVE, Kind.VERIFY])
def test_what_compiles_has_the_memory_and_the_cores_that_it_asked_for(world, kind):
    seen = []

    def handler(work):
        seen.append((work.seat.memory, work.seat.cores()))
        return Done(result={})

    world.submit("one", memory=3 * GIGABYTE, kind=kind)
    world.runner(handler, kind=kind).run()
    assert seen == [(3 * GIGABYTE, 4.0)]


def test_a_job_that_is_larger_than_every_worker_runs_alone_with_what_there_is(world):
    seen = []

    def handler(work):
        seen.append(work.seat.memory)
        return Done(result={})

    world.submit("large", memory=32 * GIGABYTE)
    world.runner(handler, memory=8 * GIGABYTE, elsewhere=4 * GIGABYTE).run()
    assert seen == [8 * GIGABYTE]


def test_four_workers_run_each_of_a_hundred_jobs_once(world):
    ran = []

    def handler(work):
        ran.append(work.claim.id)
        return Done(result={})

    jobs = [world.submit(f"{number}") for number in range(100)]
    runners = [world.runner(handler, cores=2) for _ in range(4)]
    threads = [threading.Thread(target=runner.run) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ran) == sorted(jobs)
    assert {job.state for job in world.ledger.get_many(jobs)} == {State.SUCCEEDED}


def test_a_drained_worker_takes_nothing_and_lets_end_what_runs(world, gate, until):
    job = world.submit()
    runner = world.runner(gate)
    runner.look()
    until(lambda: gate.running == 1)
    runner.drain()
    other = world.submit("c" * 64)
    runner.look(other)
    threading.Timer(0.2, gate.opened.set).start()
    assert runner.finish(drain_seconds=20, hand_back_seconds=5)
    assert world.ledger.get(job).state is State.SUCCEEDED
    assert world.ledger.get(other).state is State.QUEUED


def test_what_does_not_end_in_time_is_handed_back_and_costs_no_try(world, gate, until):
    job = world.submit()
    runner = world.runner(gate)
    runner.look()
    until(lambda: gate.running == 1)
    assert runner.finish(drain_seconds=0.1, hand_back_seconds=10)
    after = world.ledger.get(job)
    assert (after.state, after.attempts, after.owner) == (State.QUEUED, 0, "")


def test_who_is_hurried_hands_back_at_once(world, gate, until):
    job = world.submit()
    runner = world.runner(gate)
    runner.look()
    until(lambda: gate.running == 1)
    threading.Timer(0.2, runner.hurry).start()
    begun = time.monotonic()
    assert runner.finish(drain_seconds=60, hand_back_seconds=10)
    assert time.monotonic() - begun < 40
    assert world.ledger.get(job).state is State.QUEUED


def test_a_container_that_starts_a_moment_after_the_cancel_is_ended_at_once(world):
    killed = []

    class Started:
        def kill(self):
            killed.append(1)

    def handler(work):
        work.halt(Cancelled("asked to"))
        with work.watching(Started()):
            raise AssertionError("nothing runs in it")

    job = world.submit()
    world.runner(handler).run()
    assert killed == [1]
    assert world.ledger.get(job).state is State.CANCELLED


def test_a_disk_that_is_full_at_the_start_costs_a_try_and_says_so(world, monkeypatch):
    job = world.submit()

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("worker.claimed_job.JobLog", full)
    runner = world.runner(None)
    runner.run()
    assert (world.ledger.get(job).state, world.ledger.get(job).attempts) == (State.QUEUED, 1)
    world.clock.rest()
    # The host that failed rests for a while; another one's disk is full as well.
    runner.run()
    assert world.ledger.get(job).attempts == 1
    world.runner(None).run()
    assert world.ledger.get(job).error["kind"] == "disk-full"


def test_a_database_that_is_away_at_the_end_loses_no_work(world, monkeypatch):
    job = world.submit()
    succeed, failures = world.ledger.succeed, [InfrastructureError("away")]

    def flaky(*args):
        if failures:
            raise failures.pop()
        succeed(*args)

    monkeypatch.setattr(world.ledger, "succeed", flaky)
    world.runner(lambda _work: Done(result={"n": 1})).run()
    assert world.ledger.get(job).result == {"n": 1}


def test_a_halted_handlers_own_error_is_not_mistaken_for_a_failed_build(world):
    job = world.submit()

    def handler(work):
        work.halt(Cancelled("asked to"))
        raise BuildFailed("the container went away")

    world.runner(handler).run(job)
    assert world.ledger.get(job).state is State.CANCELLED


def test_listeners_hear_the_end_of_a_job_that_was_cancelled_while_it_parked(world):
    parent, child = world.submit(), world.submit("b" * 64)

    def handler(work):
        runner.drain()
        world.ledger.cancel(parent, "test")
        return Parked(children=(child,), spec={})

    runner = world.runner(handler, slots=1)
    runner.run(parent)
    assert world.ledger.get(parent).state is State.CANCELLED
    assert (world.events.heard[-1].type, world.events.heard[-1].facts["state"]) == ("done", "cancelled")
