"""Traces and numbers of a real build: the stack's own programs, a real container, a real collector."""

from __future__ import annotations

import json

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import Stack
from tests.otlp_receiver import Collector

CLIENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PORTS = 16


def numbers_of(url: str) -> dict[str, float]:
    """Sums of the samples of each name."""
    found: dict[str, float] = {}
    with httpx2.Client(trust_env=False) as client:
        text = client.get(f"{url}/metrics", timeout=10).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def worker_numbers(stack: Stack) -> list[dict[str, float]]:
    first = int(stack.environment["WHEELYARD_METRICS_PORT"])
    found = []
    for port in range(first, first + PORTS):
        try:
            found.append(numbers_of(f"http://127.0.0.1:{port}"))
        except httpx2.ConnectError:
            continue
    return found


def test_a_build_is_one_trace_from_the_request_to_the_compile(stack: Stack, collector: Collector, until):
    token = json.loads((stack.folder / "run" / "client.json").read_text())["token"]
    headers = {"traceparent": CLIENT, "authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30) as http:
        job = http.post("/v1/builds", json={"requirements": ["tracedemo"]}).json()["id"]
    until(lambda: stack.answer("job", job)["state"] in {"succeeded", "failed"}, seconds=300, pause=1)
    trace = CLIENT.split("-")[1]

    def spans(name: str):
        return [span for span in collector.spans if (span.trace, span.name) == (trace, name)]

    # Each process sends its spans by itself, when it likes.
    wanted = ("POST /v1/builds", "build job", "wheel job", "phase compile", "store put")
    until(lambda: all(spans(name) for name in wanted), seconds=30)
    (request,), builds, (wheel,) = spans("POST /v1/builds"), spans("build job"), spans("wheel job")
    assert request.parent == CLIENT.split("-")[2]
    assert {build.parent for build in builds} == {request.id}
    assert wheel.parent in {build.id for build in builds}
    (compile_,) = spans("phase compile")
    assert compile_.parent == wheel.id
    assert wheel.facts["wheelyard.job.title"] == "tracedemo 1.0"
    assert wheel.facts["wheelyard.outcome"] == "succeeded"
    below = {span.name for span in collector.spans if span.parent == wheel.id}
    assert {"phase unpack", "phase repair", "phase check", "phase test", "container start"} <= below
    assert spans("store put")


def test_the_workers_and_the_api_tell_what_was_done(stack: Stack):
    workers, api = worker_numbers(stack), numbers_of(stack.url)
    assert len(workers) == 2
    assert sum(one["wheelyard_container_start_seconds_count"] for one in workers) >= 2
    assert api["wheelyard_workers"] >= 3
    assert api["wheelyard_wheels_published_total"] >= 1
    assert api["wheelyard_phase_seconds_count"] >= 5
    for part in ("database", "redis", "store"):
        assert api[f"wheelyard_{part}_up"] == 1
