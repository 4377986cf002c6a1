"""When a host takes jobs, and when it rests."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from tests.clocks import StandingClock
from wheelyard.errors import BuildFailed, DiskFull, EngineFailed
from worker.host_health import LEAST_FREE_BYTES, HostHealth
from worker.outcome import Done


@pytest.fixture
def clock():
    return StandingClock(1000.0)


@pytest.fixture
def health(tmp_path, clock):
    return HostHealth(tmp_path / "not" / "there" / "yet", clock)


def test_a_host_without_a_failure_takes_jobs(health):
    health.note(BuildFailed("a project's own fault"))
    assert health.complaint() == ""


@pytest.mark.parametrize("error", [EngineFailed("podman hangs"), DiskFull("no room")])
def test_rests_after_a_failure_of_its_own_and_longer_after_each_further_one(health, clock, error):
    rests = []
    for _ in range(7):
        health.note(error)
        began = clock.now
        while health.complaint():
            clock.now += 1
        rests.append(clock.now - began)
    assert rests == [5, 10, 20, 40, 80, 120, 120]


def test_a_job_that_succeeds_ends_the_rest(health):
    health.note(EngineFailed("podman hangs"))
    assert "podman hangs" in health.complaint()
    health.note(Done(result={}))
    assert health.complaint() == ""


def test_takes_nothing_while_the_disk_is_nearly_full(tmp_path, clock, monkeypatch):
    free = [LEAST_FREE_BYTES - 1]
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=free[0]))
    health = HostHealth(tmp_path, clock)
    assert "63 MiB free" in health.complaint()
    free[0] += 1
    assert health.complaint() == ""
