"""One claimed job from claim to end, on a real ledger with handlers of the test's own."""

import threading
import time

import pytest

from wheelyard.catalogue import Catalogue
from wheelyard.errors import BuildFailed, Cancelled, InfrastructureError
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.states import Kind, State
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from worker.context import Services
from worker.outcome import Done, Parked
from worker.runner import Runner


class Bell:
    def __init__(self):
        self.rung = []

    def ring(self, job_id, queue):
        self.rung.append(job_id)


class Events:
    def __init__(self):
        self.heard = []

    def add(self, streams, event):
        self.heard.append(event)


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
        url = f"sqlite:///{tmp_path}/jobs.db"
        migrate(url)
        database = Database(url)
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

    def runner(self, handler):
        return Runner(self.services, self.events, {Kind.WHEEL: handler})

    def submit(self, key="a" * 64):
        return self.ledger.submit(Kind.WHEEL, key, spec={"n": 1}, title="demo 1", toolchain="t")[0].id


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

    runner = world.runner(handler)
    runner.run(parent)
    runner.run(parent)
    assert world.ledger.get(parent).result is None
    runner.run(child)
    assert world.bell.rung == [parent]
    runner.run(parent)
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
        return Done(result={"zombie": True})

    world.runner(handler).run(job)
    after = world.ledger.get(job)
    assert (after.state, after.result) == (State.QUEUED, None)


def test_a_drained_worker_hands_back_what_it_runs(world):
    job = world.submit()

    def handler(work):
        runner.drain()
        work.check()
        raise AssertionError("a halted job goes no further")

    runner = world.runner(handler)
    runner.run(job)
    after = world.ledger.get(job)
    assert (after.state, after.attempts) == (State.QUEUED, 0)
    other = world.submit("c" * 64)
    runner.run(other)
    assert world.ledger.get(other).state is State.QUEUED


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
        world.ledger.cancel(parent, "test")
        return Parked(children=(child,), spec={})

    world.runner(handler).run(parent)
    assert world.ledger.get(parent).state is State.CANCELLED
    assert (world.events.heard[-1].type, world.events.heard[-1].facts["state"]) == ("done", "cancelled")
