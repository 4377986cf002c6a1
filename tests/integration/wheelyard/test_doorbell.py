"""The doorbell on a real Redis-protocol server: it rings, counts, and does not wait for one that hangs."""

from __future__ import annotations

import os
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import running
from wheelyard.doorbell import CeleryDoorbell, DoorbellBehind
from wheelyard.errors import QueueUnavailable
from wheelyard.stack.servers import Ports, redis_address, redis_program


@pytest.fixture
def redis(tmp_path):
    """A server of the test's own, which it may stop: its process and its address."""
    ports, password = Ports.draw(), secrets.token_urlsafe(16)
    program = redis_program(tmp_path / "redis", tmp_path / "run", ports, password)
    with running(program, ports.redis, tmp_path) as process:
        yield process.pid, redis_address(ports, password)


def test_counts_the_rings_that_nobody_has_heard(redis):
    bell = CeleryDoorbell(redis[1])
    assert bell.unheard("plans") == 0
    for _ in range(3):
        bell.ring("a" * 32, "plans")
    assert bell.unheard("plans") == 3
    assert bell.unheard("toolchain.x") == 0


def test_a_server_that_hangs_is_waited_for_once_and_briefly_by_any_number_of_threads(redis):
    process, url = redis
    bell = CeleryDoorbell(url)
    bell.ring("a" * 32, "plans")
    os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(32) as pool:
            rings = [pool.submit(bell.ring, "a" * 32, "plans") for _ in range(64)]
        assert all(isinstance(ring.exception(), QueueUnavailable) for ring in rings)
        assert time.monotonic() - began < 6
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            bell.ring("a" * 32, "plans")
        assert time.monotonic() - began < 1.5
    finally:
        os.kill(process, signal.SIGCONT)


def test_rings_again_once_the_server_is_back(redis, until):
    process, url = redis
    bell = CeleryDoorbell(url)
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(QueueUnavailable):
        bell.ring("a" * 32, "plans")
    os.kill(process, signal.SIGCONT)

    def rings():
        try:
            bell.ring("a" * 32, "plans")
        except QueueUnavailable:
            return False
        return True

    until(rings)


def test_a_server_that_hangs_while_it_is_asked_for_the_rings_is_said_to_be_away(redis):
    process, url = redis
    bell = CeleryDoorbell(url)
    assert bell.unheard("plans") == 0
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(QueueUnavailable):
            bell.unheard("plans")
    finally:
        os.kill(process, signal.SIGCONT)


def test_nobody_waits_for_a_doorbell_behind_and_it_rings_once_the_server_is_back(redis, until):
    process, url = redis
    bell = DoorbellBehind(CeleryDoorbell(url))
    os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        bell.ring("a" * 32, "plans")
        assert time.monotonic() - began < 1.5
    finally:
        os.kill(process, signal.SIGCONT)

    def heard():
        bell.ring("b" * 32, "plans")
        try:
            return bell.unheard("plans") > 0
        except QueueUnavailable:
            return False

    until(heard)
