"""Live events across the death of a real Redis: whoever listens gets each one once, and in order."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import threading
import time

import pytest

from tests.conftest import running
from wheelyard.errors import QueueUnavailable
from wheelyard.event import Seen
from wheelyard.events import RedisEventStream
from wheelyard.stack.servers import Ports, redis_address, redis_program
from worker.job_log import JobLog


class OwnRedis:
    """A Redis that the test kills, empties, stops and starts."""

    def __init__(self, folder):
        self.folder, self.ports = folder, Ports.draw()
        self.password = secrets.token_urlsafe(8)
        self.url = redis_address(self.ports, self.password)
        self.process = None
        self._stack = contextlib.ExitStack()

    def start(self):
        program = redis_program(self.folder / "redis", self.folder / "run", self.ports, self.password)
        self.process = self._stack.enter_context(running(program, self.ports.redis, self.folder))

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self._stack.close()
        shutil.rmtree(self.folder / "redis", ignore_errors=True)

    def send(self, number):
        os.kill(self.process.pid, number)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGCONT)
        self._stack.close()


@pytest.fixture
def redis(tmp_path):
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.close()


class Listener:
    """Reads a stream as a client does that comes back after every outage, and drops repeats."""

    def __init__(self, url, stream):
        self.texts, self.raw, self._stream, self._over = [], 0, stream, threading.Event()
        self._events = RedisEventStream(url)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        after, seen = "0", Seen()
        while not self._over.is_set():
            try:
                batch = self._events.read(self._stream, after, 0.2)
            except QueueUnavailable:
                time.sleep(0.05)
                continue
            for entry, event in batch:
                after = entry
                self.raw += 1
                if seen.is_new(event):
                    self.texts.append((event.job, event.facts.get("text")))

    def of(self, job):
        return [text for whose, text in self.texts if whose == job]

    def close(self):
        self._over.set()
        self._thread.join(5)


def open_log(redis, folder, job, parents=()):
    return JobLog(
        RedisEventStream(redis.url), job=job, title=job, streams=lambda: list(parents),
        path=folder / f"{job}.gz", limit=1 << 20, attempt=1,
    )  # fmt: skip


def test_a_redis_that_is_killed_and_comes_back_empty_loses_no_event(redis, tmp_path, until):
    log = open_log(redis, tmp_path, "j")
    listener, said = Listener(redis.url, "j"), []

    def speak(count):
        for _number in range(count):
            said.append(f"line {len(said)}")
            log.line(said[-1])
            time.sleep(0.01)

    for _round in range(2):
        speak(40)
        redis.kill()
        speak(40)
        redis.start()
        speak(40)
    until(lambda: len(listener.texts) >= len(said))
    assert listener.of("j") == said
    # The ids are those of before, so that nothing came twice either.
    assert listener.raw == len(said)
    listener.close()


def test_several_jobs_of_one_parent_lose_nothing_in_its_stream(redis, tmp_path, until):
    jobs = ["a", "b", "c"]
    logs = {job: open_log(redis, tmp_path, job, ["parent"]) for job in jobs}
    listener, count = Listener(redis.url, "parent"), 0

    def speak(lines):
        nonlocal count
        for _number in range(lines):
            for job, log in logs.items():
                log.line(f"{job} {count}")
            count += 1
            time.sleep(0.01)

    speak(40)
    redis.kill()
    speak(10)
    redis.start()
    speak(40)
    until(lambda: len(listener.texts) >= 3 * count)
    for job in jobs:
        assert listener.of(job) == [f"{job} {number}" for number in range(count)]
    listener.close()


def test_a_redis_that_stands_still_holds_up_no_build_and_loses_nothing(redis, tmp_path, until):
    log = open_log(redis, tmp_path, "j")
    listener = Listener(redis.url, "j")
    log.line("before")
    assert log.flush(5)
    redis.send(signal.SIGSTOP)
    begun = time.monotonic()
    for number in range(150):
        log.line(f"line {number}")
    assert time.monotonic() - begun < 10
    time.sleep(2)
    redis.send(signal.SIGCONT)
    until(lambda: len(listener.texts) >= 151)
    assert listener.of("j") == ["before", *(f"line {number}" for number in range(150))]
    listener.close()
