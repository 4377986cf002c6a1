"""A container's cores while other builds begin and end."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from wheelyard.errors import EngineFailed
from wheelyard.limits import Limits
from worker import cpu_share
from worker.cpu_share import cores_within, following_share

LIMITS = Limits(memory=1 << 30, cpus=0, pids=100, disk=1 << 30, seconds=60)


class Work:
    """A job whose share can be set."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.lines: list[str] = []
        self.seat = SimpleNamespace(cores=lambda: self.share)
        self.log = SimpleNamespace(line=self.lines.append)


class Container:
    """Remembers what it was told."""

    def __init__(self, failure: str = "") -> None:
        self.told: list[float] = []
        self.failure = failure

    def limit_cpus(self, cpus: float) -> None:
        self.told.append(cpus)
        if self.failure:
            raise EngineFailed("podman failed", found=self.failure)


def wait_for(condition) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(cpu_share, "_PAUSE_SECONDS", 0.01)


def test_a_share_that_grows_and_shrinks_is_followed_and_an_equal_one_is_not_told():
    work, container = Work(1), Container()
    with following_share(work, container, 1, LIMITS):
        time.sleep(0.1)
        assert container.told == []
        work.share = 2
        wait_for(lambda: container.told == [2])
        work.share = 1
        wait_for(lambda: container.told == [2, 1])
    work.share = 2
    time.sleep(0.1)
    assert container.told == [2, 1]


def test_no_share_is_more_than_the_limit():
    limited = Limits(memory=1 << 30, cpus=1.5, pids=100, disk=1 << 30, seconds=60)
    assert [cores_within(limited, share) for share in (1, 2)] == [1, 1.5]
    assert cores_within(LIMITS, 4 / 3) == 1.33


def test_an_engine_that_can_not_is_asked_once_and_the_log_says_so():
    work, container = Work(2), Container("unknown command")
    with following_share(work, container, 1, LIMITS):
        wait_for(lambda: work.lines)
        work.share = 4
        time.sleep(0.1)
    assert container.told == [2]
    assert work.lines == ["its share of cores stays 1: unknown command"]
