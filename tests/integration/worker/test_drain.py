"""A real worker process that is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.databases import migrated_sqlite
from tests.otlp_receiver import collecting
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind, State
from wheelyard.jobs.workers import WorkerRegistry

PROGRAM = Path(__file__).with_name("stand_in_worker.py")
ROOT = Path(__file__).parents[3]


class Drill:
    """A worker process on a database and a store of its own."""

    def __init__(self, folder, until):
        self.folder, self.until = folder, until
        database = Database(migrated_sqlite(folder / "jobs.db"))
        self.ledger, self.registry = Ledger(database), WorkerRegistry(database)
        self.process = None

    def start(self, redis_url, **settings):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "WHEELYARD_DATA_DIR": str(self.folder),
            "WHEELYARD_DATABASE_URL": f"sqlite:///{self.folder}/jobs.db",
            "WHEELYARD_STORE_URL": f"file://{self.folder}/store",
            "WHEELYARD_REDIS_URL": redis_url,
            **settings,
        }
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), "--queues", "compile", "--concurrency", "2"],
                env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.until(lambda: self.process.poll() is not None or self.registry.list(), seconds=60)
        assert self.process.poll() is None, (self.folder / "log").read_text()

    def submit(self):
        """A job that the worker takes by its own round, at the latest."""
        toolchain = "debian12-cp311"
        job, _ = self.ledger.submit(Kind.WHEEL, "a" * 64, spec={}, title="demo", toolchain=toolchain)
        self.until((self.folder / f"started-{job.id}").exists, seconds=30)
        return job.id

    def let_go(self):
        (self.folder / "go").touch()

    def tell(self):
        self.process.send_signal(signal.SIGTERM)

    def ended(self):
        # Well below what it waits for at the most where a test lets it wait: its status says nothing of that.
        assert self.process.wait(timeout=50) == 0, (self.folder / "log").read_text()
        assert self.registry.list() == []


@pytest.fixture
def drill(tmp_path, until):
    made = Drill(tmp_path, until)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_what_ends_in_time_ends_well_and_an_idle_worker_ends_at_once(drill, redis_url, until):
    drill.start(redis_url, WHEELYARD_DRAIN_SECONDS="100")
    job = drill.submit()
    drill.tell()
    until(lambda: drill.registry.list()[0].draining)
    assert drill.registry.held()[drill.ledger.get(job).owner][0].id == job
    drill.let_go()
    drill.ended()
    assert drill.ledger.get(job).state is State.SUCCEEDED


def test_what_does_not_end_in_time_is_handed_back(drill, redis_url):
    drill.start(redis_url, WHEELYARD_DRAIN_SECONDS="1")
    job = drill.submit()
    drill.tell()
    drill.ended()
    after = drill.ledger.get(job)
    assert (after.state, after.owner, after.attempts) == (State.QUEUED, "", 0)
    assert [move["cause"] for move in drill.ledger.transitions(job)] == ["submitted", "claimed", "released"]


def test_a_second_signal_hands_back_at_once(drill, redis_url, until):
    drill.start(redis_url, WHEELYARD_DRAIN_SECONDS="100")
    job = drill.submit()
    drill.tell()
    until(lambda: drill.registry.list()[0].draining)
    drill.tell()
    drill.ended()
    assert drill.ledger.get(job).state is State.QUEUED


@pytest.mark.parametrize("pause", [0.0, 0.2, 0.6])
def test_a_signal_while_the_program_starts_ends_it_well(drill, redis_url, pause):
    drill.start(redis_url, WHEELYARD_DRAIN_SECONDS="1")
    time.sleep(pause)
    drill.tell()
    drill.ended()


def test_without_redis_jobs_are_taken_all_the_same_and_the_process_ends(drill):
    drill.start("redis://127.0.0.1:9/0", WHEELYARD_DRAIN_SECONDS="1")
    job = drill.submit()
    drill.tell()
    drill.ended()
    assert drill.ledger.get(job).state is State.QUEUED


def test_the_trace_of_a_job_that_is_handed_back_is_sent_before_the_end(drill, redis_url):
    with collecting() as collector:
        drill.start(redis_url, WHEELYARD_DRAIN_SECONDS="0", WHEELYARD_OTEL_ENDPOINT=collector.url)
        job = drill.submit()
        drill.tell()
        drill.ended()
        span = collector.named("wheel job")
        assert (span.facts["wheelyard.job.id"], span.facts["wheelyard.outcome"]) == (job, "released")
        assert span.failed


def test_a_collector_that_hangs_does_not_keep_a_worker(drill, redis_url):
    with collecting() as collector:
        collector.mode = "hang"
        drill.start(redis_url, WHEELYARD_DRAIN_SECONDS="0", WHEELYARD_OTEL_ENDPOINT=collector.url)
        job = drill.submit()
        drill.tell()
        drill.ended()
        assert drill.ledger.get(job).state is State.QUEUED
