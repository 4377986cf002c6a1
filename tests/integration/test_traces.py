"""Spans on their way to a real collector, and to one that is out, refuses or hangs."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from tests.otlp_receiver import collecting
from wheelyard import otlp_tracer
from wheelyard.errors import BuildFailed
from wheelyard.tracing import Role, below, current_span, open_tracer

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def tracer(collector):
    tracer = open_tracer(collector.url, "tests", "one")
    yield tracer
    collector.over.set()
    tracer.close()


def test_a_span_goes_on_with_a_trace_and_has_its_own_below_it(collector, tracer):
    with tracer.span("wheel job", Role.CONSUMER, PARENT, {"wheelyard.job.id": "j"}):
        inner = current_span().traceparent
        with below("phase compile"):
            pass
    tracer.close()
    job, phase = collector.named("wheel job"), collector.named("phase compile")
    assert (job.trace, job.parent) == tuple(PARENT.split("-")[1:3])
    assert (phase.trace, phase.parent) == (job.trace, job.id)
    assert inner == f"00-{job.trace}-{job.id}-01"
    assert (job.service, job.facts) == ("tests", {"wheelyard.job.id": "j"})
    assert job.begun <= phase.begun <= phase.ended <= job.ended


def test_a_parent_that_was_not_sampled_is_carried_on_and_not_sent(collector, tracer):
    with tracer.span("job", Role.CONSUMER, PARENT[:-2] + "00"):
        assert current_span().traceparent.startswith(PARENT[:36])
        assert current_span().traceparent.endswith("-00")
    tracer.close()
    assert collector.spans == []


def test_an_error_sets_the_status_without_what_foreign_code_wrote(collector, tracer):
    with pytest.raises(BuildFailed), tracer.span("job", Role.CONSUMER), linked(), below("phase compile"):
        raise BuildFailed("demo failed", found="error: token=hunter2")
    with pytest.raises(RuntimeError), tracer.span("other", Role.CONSUMER):
        raise RuntimeError("hunter2")
    tracer.close()
    phase = collector.named("phase compile")
    assert (phase.failed, phase.message, phase.facts["error.type"]) == (True, "demo failed", "build-failed")
    assert collector.named("job").links == (PARENT.split("-")[2],)
    assert (collector.named("other").failed, collector.named("other").message) == (True, "")
    assert "hunter2" not in str(collector.spans)


@contextmanager
def linked():
    current_span().link(PARENT)
    yield


def worked(tracer, count=50):
    """Seconds that a lot of spans took their caller."""
    begun = time.monotonic()
    for _ in range(count):
        with tracer.span("job", Role.CONSUMER), below("phase compile"):
            pass
    return time.monotonic() - begun


def test_a_collector_that_is_out_is_said_once_and_slows_nobody():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with capture_logs() as logs:
        tracer = open_tracer(f"http://127.0.0.1:{port}", "tests")
        assert worked(tracer, 20_000) < 60
        begun = time.monotonic()
        tracer.close(3)
        assert time.monotonic() - begun < 20
    assert [line["event"] for line in logs if line["log_level"] == "warning"] in (
        [],
        ["traces are not taken; they are dropped until they are"],
    )


def test_a_collector_that_hangs_delays_neither_work_nor_the_end(collector, monkeypatch):
    monkeypatch.setattr(otlp_tracer, "_EXPORT_SECONDS", 50.0)  # what waits for an answer takes that long
    tracer = open_tracer(collector.url, "tests")
    collector.mode = "hang"
    begun = time.monotonic()
    worked(tracer, 2000)
    tracer.flush()
    tracer.close(1)
    tracer.close(0.1)
    worked(tracer, 10)
    assert time.monotonic() - begun < 25
    assert collector.asked
    collector.over.set()


def test_spans_are_taken_again_when_a_collector_is_back(collector, tracer, until):
    collector.mode = "refuse"
    with capture_logs() as logs:
        worked(tracer, 1)

        # A tracer of the test before may say the same of its own collector, later.
        def said(words):
            return any(words in line["event"] and collector.url in line["address"] for line in logs)

        until(lambda: said("not taken"), seconds=30)
        collector.mode = "take"
        with tracer.span("after", Role.CONSUMER):
            pass
        collector.wait_for("after")

        def said_again():
            # The answer to one batch may come too late on a busy machine; the next one's says it as well.
            with tracer.span("more", Role.CONSUMER):
                pass
            return said("taken again")

        until(said_again, seconds=30, pause=0.5)
