"""Images by name, on demand, with a test in the worker's place."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.builder_service.registry_images import make_record
from tests.integration.builder_service.test_registry_pull import code_of
from wheelyard.access_token import Scope
from wheelyard.errors import BuildFailed
from wheelyard.jobs.states import Kind, State

PLACE = "/v2/run/debian12-cp311"


@pytest.fixture(scope="module")
def run_door(registry_door_with):
    """A service that makes images by name, and whose clients are patient."""
    return registry_door_with(run_images=True, run_wait_seconds=25.0)


@pytest.fixture
def worker(run_door):
    """Ends the next image job in another thread: with an image, or with an error."""
    threads = []

    def end(seconds: float, outcome) -> None:
        def work() -> None:
            services, limit = run_door.services, time.monotonic() + 20
            while time.monotonic() < limit:
                for job in services.ledger.latest(10):
                    if job.kind is Kind.IMAGE and job.state is State.QUEUED:
                        claim = services.ledger.claim(job.id, "the-test", 60)
                        time.sleep(seconds)
                        if isinstance(outcome, Exception):
                            services.ledger.fail(claim, outcome)
                        else:
                            result = {"image": {"manifest_digest": str(outcome.manifest_digest)}}
                            services.ledger.succeed(claim, result)
                        return
                time.sleep(0.05)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield end
    for thread in threads:
        thread.join(timeout=30)


def jobs_of(door, title: str):
    return [job for job in door.services.ledger.latest(200) if title in job.title]


def test_who_pulls_by_name_waits_until_the_image_is_made(run_door, worker):
    record = make_record(run_door.services, b"made on demand")
    worker(0.3, record)
    answer = run_door.http.get(f"{PLACE}/tiny-thing/other-thing--1.0/manifests/latest")
    assert answer.status_code == 200, answer.text
    assert answer.headers["docker-content-digest"] == str(record.manifest_digest)
    (job,) = jobs_of(run_door, "other-thing")
    assert job.spec["build"]["requirements"] == ["other-thing==1.0", "tiny-thing"]
    assert job.spec["build"]["toolchain"] == "debian12-cp311"
    # Its parts are there for who may read, and by its digest it is no work of anybody's.
    blob = f"{PLACE}/tiny-thing/other-thing--1.0/blobs/{record.layers[0].digest}"
    assert run_door.guest.get(blob).status_code == 200
    # The same name again, and in another order, asks nobody to resolve again.
    for name in ("tiny-thing/other-thing--1.0", "other-thing--1.0/tiny-thing"):
        assert run_door.http.head(f"{PLACE}/{name}/manifests/latest").status_code == 200
    assert len(jobs_of(run_door, "other-thing")) == 1


def test_who_waits_too_long_is_told_to_come_again_and_joins_the_same_job(registry_door_with):
    run_door = registry_door_with(run_images=True, run_wait_seconds=0.5)
    for _ in range(2):
        answer = run_door.http.get(f"{PLACE}/slow-thing/manifests/latest")
        # Of a status of 500 and more, podman and docker show no message.
        assert answer.status_code == 409
        assert int(answer.headers["retry-after"]) > 0
        (fault,) = answer.json()["errors"]
        assert fault["code"] == "UNAVAILABLE"
        (job,) = jobs_of(run_door, "slow-thing")
        assert f"/plans/{job.id}" in fault["message"]
        assert job.waiters == 1
    run_door.services.ledger.cancel(job.id, "the-test")


def test_an_image_that_can_not_be_made_is_said_and_not_tried_again_at_once(run_door, worker):
    worker(0.0, BuildFailed("the wheel bad-thing does not compile", found="error: no such header"))
    for _ in range(2):
        answer = run_door.http.get(f"{PLACE}/bad-thing/manifests/latest")
        assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")
        assert "bad-thing does not compile" in answer.json()["errors"][0]["message"]
    assert len(jobs_of(run_door, "bad-thing")) == 1


def test_it_takes_the_right_to_build(run_door):
    address = f"{PLACE}/closed-thing/manifests/latest"
    answer = run_door.guest.get(address)
    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHORIZED")
    _token, reader = run_door.services.tokens.create("reader", [Scope.READ])
    answer = run_door.guest.get(address, headers={"authorization": f"Bearer {reader}"})
    assert (answer.status_code, code_of(answer)) == (403, "DENIED")
    _token, elsewhere = run_door.services.tokens.create("elsewhere", [Scope.BUILD], ["other"])
    answer = run_door.guest.get(address, headers={"authorization": f"Bearer {elsewhere}"})
    assert (answer.status_code, code_of(answer)) == (403, "DENIED")
    assert jobs_of(run_door, "closed-thing") == []


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("/v2/run/no-such-toolchain/numpy/manifests/latest", "NAME_UNKNOWN"),
        ("/v2/run/debian12-cp311/numpy--x/manifests/latest", "NAME_INVALID"),
        ("/v2/run/debian12-cp311/manifests/latest", "NAME_INVALID"),
        ("/v2/run/debian12-cp311/numpy/manifests/1.0", "MANIFEST_UNKNOWN"),
    ],
)
def test_a_name_of_nothing_is_refused_before_any_work(run_door, place, code):
    answer = run_door.http.get(place)
    assert (answer.status_code in (400, 404), code_of(answer)) == (True, code)


def test_many_who_wait_hold_no_thread(registry_door_with, until):
    """More than the service has threads: whoever asks for something else is answered meanwhile."""
    door = registry_door_with(run_images=True, run_wait_seconds=120.0)
    with ThreadPoolExecutor(80) as pool:
        waiting = [pool.submit(door.http.get, f"{PLACE}/crowd-thing/manifests/latest") for _ in range(80)]
        until(lambda: jobs_of(door, "crowd-thing"))
        assert door.guest.get("/v2/images/tags/list").status_code == 404
        assert not any(one.done() for one in waiting)
        (job,) = jobs_of(door, "crowd-thing")
        door.services.ledger.cancel(job.id, "the-test")
        answers = [one.result() for one in waiting]
    assert {code_of(answer) for answer in answers} == {"MANIFEST_UNKNOWN"}


def test_a_service_makes_no_images_by_name_unless_it_is_told_to(registry_door):
    answer = registry_door.http.get(f"{PLACE}/tiny-thing/manifests/latest")
    assert (answer.status_code, code_of(answer)) == (404, "NAME_UNKNOWN")
    assert "WHEELYARD_RUN_IMAGES" in answer.json()["errors"][0]["message"]
