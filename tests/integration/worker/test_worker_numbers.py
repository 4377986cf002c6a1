"""A worker's own numbers: where they are served, and what its engine's starts leave in them."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from types import SimpleNamespace

import httpx2
import pytest

from wheelyard.errors import EngineFailed
from worker.engine.contract import ContainerSpec
from worker.engine.watched import watched
from worker.metrics import WorkerMetrics

SPEC = ContainerSpec(image="sha256:0", job="j", owner="w", memory=1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read(port):
    with httpx2.Client(trust_env=False) as client:
        return client.get(f"http://127.0.0.1:{port}/metrics").text


def test_workers_of_one_host_take_one_port_after_the_other():
    first, second = WorkerMetrics(), WorkerMetrics()
    port = free_port()
    one = first.serve("127.0.0.1", port)
    other = second.serve("127.0.0.1", port)
    assert one < other < port + 16
    first.lines_left_out.inc(3)
    assert "wheelyard_log_lines_left_out_total 3.0" in read(one)
    assert "wheelyard_log_lines_left_out_total 0.0" in read(other)


def test_nothing_is_served_without_a_port_or_where_none_can_be_had():
    assert WorkerMetrics().serve("127.0.0.1", 0) == 0
    # An address of no interface of this machine: the worker starts all the same.
    assert WorkerMetrics().serve("192.0.2.1", free_port()) == 0


class Engine:
    name = "fake"

    def __init__(self, error=None):
        self.error = error

    @contextmanager
    def start(self, spec):
        if self.error:
            raise self.error
        yield SimpleNamespace(id="c1")

    def version(self):
        return "fake 1"


def sample(metrics, name):
    return metrics.registry.get_sample_value(name)


def test_starts_of_containers_are_timed_and_the_rest_is_the_engines_own():
    metrics = WorkerMetrics()
    engine = watched(Engine(), metrics)
    with engine.start(SPEC) as container:
        assert container.id == "c1"
    assert engine.version() == "fake 1"
    assert sample(metrics, "wheelyard_container_start_seconds_count") == 1
    assert sample(metrics, "wheelyard_container_start_failures_total") == 0


def test_a_start_that_fails_is_counted_and_raised_as_it_was():
    metrics = WorkerMetrics()
    error = EngineFailed("no such image")
    with pytest.raises(EngineFailed) as caught, watched(Engine(error), metrics).start(SPEC):
        pass
    assert caught.value is error
    assert sample(metrics, "wheelyard_container_start_seconds_count") == 0
    assert sample(metrics, "wheelyard_container_start_failures_total") == 1


def test_an_error_inside_a_container_is_not_taken_for_a_failed_start():
    metrics = WorkerMetrics()

    def fail_inside():
        with watched(Engine(), metrics).start(SPEC):
            raise EngineFailed("while it ran")

    with pytest.raises(EngineFailed):
        fail_inside()
    assert sample(metrics, "wheelyard_container_start_seconds_count") == 1
    assert sample(metrics, "wheelyard_container_start_failures_total") == 0
