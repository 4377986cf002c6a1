"""One trace from a request to the container's phases: the real door, the real runner, a real collector."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.otlp_receiver import collecting
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest, key_of
from wheelyard.errors import BuildFailed
from wheelyard.events import RedisEventStream
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import PLANS_QUEUE, Kind, State, queue_of
from wheelyard.requests import Caller, Requests
from wheelyard.store.open import open_store
from wheelyard.store.traced import TracedStore
from wheelyard.tracing import open_tracer
from worker.capacity import Capacity, Machine
from worker.claimed_job import ClaimedJob
from worker.context import Services
from worker.engine.contract import ContainerSpec
from worker.engine.watched import watched
from worker.metrics import WorkerMetrics
from worker.outcome import Done, Parked
from worker.runner import Runner

TOOLCHAIN = "debian12-cp311"
CLIENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Engine:
    name = "fake"

    @contextmanager
    def start(self, spec):
        yield SimpleNamespace(id="c1")


def make_build(work):
    """Plans one wheel, waits for it, answers."""
    spec, services, job = work.claim.job.spec, work.services, work.claim.job
    if "planned" in spec:
        return Done(result={"wheels": [], **work.times})
    with work.phase("resolve"):
        child = services.requests.wheel(
            key_of("wheel"), spec={}, title="tiny 1.0", subject="tiny", toolchain=TOOLCHAIN,
            channel="default", caller=Caller.of_job(job, services.owner),
        )  # fmt: skip
    return Parked(children=(child.job.id,), spec={**spec, "planned": True})


def make_wheel(work):
    """Starts a container, compiles in it, keeps the wheel."""
    services = work.services
    spec = ContainerSpec(image="sha256:0", job=work.claim.id, owner=services.owner, memory=1)
    with services.engine.start(spec), work.phase("compile"):
        if work.claim.job.title == "broken":
            raise BuildFailed("broken failed", found="foreign words")
    with work.phase("publish", State.PUBLISHING):
        services.store.put_blob(b"wheel", Digest.of(b"wheel"))
    return Done(result={"wheel": {"size": 5}, **work.times})


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def settings(settings_with, redis_url, collector):
    return settings_with(redis_url=redis_url, otel_endpoint=collector.url)


@pytest.fixture
def door(settings, serve):
    door = serve(settings)
    yield door
    door.services.tracer.close()


@pytest.fixture
def worker(settings, door):
    """A worker of the same stack; `work()` runs whatever can be claimed."""
    database = Database(settings.effective_database_url)
    ledger, catalogue = Ledger(database), Catalogue(database)
    metrics = WorkerMetrics()
    services = Services(
        settings=settings, ledger=ledger, catalogue=catalogue, owner="w", metrics=metrics,
        requests=Requests(ledger, catalogue, door.services.doorbell, 60),
        store=TracedStore(open_store(settings)), engine=watched(Engine(), metrics),
        tracer=open_tracer(settings.otel_endpoint, "wheelyard-worker", "w"),
    )  # fmt: skip
    events = RedisEventStream(settings.redis_url)
    claimed = ClaimedJob(services, events, {Kind.BUILD: make_build, Kind.WHEEL: make_wheel})
    capacity = Capacity(Machine(cores=2, memory=1 << 40), 2, lambda _queue: 0)
    queues = [PLANS_QUEUE, queue_of(Kind.WHEEL, TOOLCHAIN)]
    runner = Runner(services, queues, capacity, claimed)

    def work() -> Services:
        while ledger.next_in_turn(queues):
            runner.run()
        return services

    yield work
    services.tracer.close()
    events.close()
    database.close()


def ask(door, traceparent="", **fields):
    headers = {"traceparent": traceparent} if traceparent else {}
    answer = door.http.post("/v1/builds", json={"requirements": ["tiny"], **fields}, headers=headers)
    assert answer.status_code in {200, 202}
    return answer.json()


def test_a_request_its_jobs_and_their_phases_are_one_trace(door, worker, collector):
    job = ask(door, CLIENT)
    services = worker()
    collector.wait_for("POST /v1/builds", "build job", "build job", "wheel job", "phase compile", "store put")
    request, wheel = collector.named("POST /v1/builds"), collector.named("wheel job")
    # One span for each claim: the first planned, the second answered.
    first, second = sorted((s for s in collector.spans if s.name == "build job"), key=lambda span: span.begun)
    assert {span.trace for span in collector.spans} == {CLIENT.split("-")[1]}
    assert (request.service, request.parent) == ("wheelyard-api", CLIENT.split("-")[2])
    assert (request.facts["http.response.status_code"], request.facts["wheelyard.outcome"]) == (202, "queued")
    assert [(span.service, span.parent) for span in (first, second)] == [("wheelyard-worker", request.id)] * 2
    assert [span.facts["wheelyard.outcome"] for span in (first, second)] == ["parked", "succeeded"]
    assert collector.named("phase resolve").parent == first.id
    assert wheel.parent == collector.named("phase resolve").id
    assert collector.named("container start").parent == wheel.id
    assert collector.named("phase compile").parent == wheel.id
    kept = [span for span in collector.spans if span.name == "store put"]
    assert collector.named("phase publish").id in {span.parent for span in kept}
    named = {key.removeprefix("wheelyard."): value for key, value in wheel.facts.items()}
    assert named["job.title"] == "tiny 1.0"
    assert (named["job.kind"], named["toolchain"], named["job.fence"]) == ("wheel", TOOLCHAIN, 1)
    assert (named["job.attempt"], named["outcome"], named["worker"]) == (1, "succeeded", "w")
    assert first.facts["wheelyard.job.id"] == job["id"]
    starts = services.metrics.registry.get_sample_value("wheelyard_container_start_seconds_count")
    assert starts == 1


def test_a_request_without_a_traceparent_begins_a_trace(door, worker, collector):
    ask(door, "not-a-traceparent")
    worker()
    collector.wait_for("POST /v1/builds", "build job")
    request = collector.named("POST /v1/builds")
    assert request.parent == ""
    assert {span.trace for span in collector.spans} == {request.trace}


def test_who_joins_is_linked_and_who_hits_has_only_a_request(door, worker, collector):
    ask(door, CLIENT)
    ask(door, OTHER)
    worker()
    assert ask(door, OTHER)["cached"]
    collector.wait_for("build job", "build job", "wheel job")
    door.services.tracer.close()
    requests = [span for span in collector.spans if span.name == "POST /v1/builds"]
    assert [span.facts["wheelyard.outcome"] for span in requests] == ["queued", "joined", "hit"]
    builds = [span for span in collector.spans if span.name == "build job"]
    assert {span.parent for span in builds} == {requests[0].id}
    assert {span.links for span in builds} == {(requests[1].id,)}
    assert collector.named("wheel job").links == ()


def test_a_failed_phase_marks_it_and_its_job_and_not_the_request(door, worker, collector):
    door.services.requests.wheel(
        key_of("broken"), spec={}, title="broken", subject="broken", toolchain=TOOLCHAIN, channel="default",
        caller=Caller(),
    )  # fmt: skip
    services = worker()
    collector.wait_for("wheel job")
    for span in (collector.named("phase compile"), collector.named("wheel job")):
        assert (span.failed, span.message) == (True, "broken failed")
        assert span.facts["error.type"] == "build-failed"
    assert collector.named("wheel job").facts["wheelyard.outcome"] == "failed"
    assert "foreign words" not in json.dumps([span.facts for span in collector.spans])
    (job,) = services.ledger.latest(1)
    assert set(job.error["facts"]["phases"]) == {"compile"}


def test_health_and_scrapes_are_not_traced(door, collector):
    for path in ("/healthz", "/readyz", "/metrics", "/v1/jobs"):
        assert door.guest.get(path).status_code == 200
    collector.wait_for("GET /v1/jobs")
    assert {span.name for span in collector.spans} == {"GET /v1/jobs"}


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_a_collector_in_trouble_changes_nothing_for_a_build(door, worker, collector, mode):
    collector.mode = mode
    job = ask(door, CLIENT)
    services = worker()
    assert services.ledger.get(job["id"]).state is State.SUCCEEDED
    collector.mode = "take"
    collector.over.set()
