"""Asking for builds and images over HTTP, and what becomes of them."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.asked_statements import asked_statements
from wheelyard.channels import Channel
from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, Conflict, NotFound, Unauthorized
from wheelyard.event import Event
from wheelyard.jobs.states import Kind
from wheelyard.settings import Settings


def submit(door, *requirements, place="/v1/builds", **fields):
    answer = door.http.post(place, json={"requirements": list(requirements) or ["numpy"], **fields})
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def work(door, job_id, result=None, log=""):
    """What a worker does with a job, without the work."""
    claim = door.services.ledger.claim(job_id, "worker", 30)
    door.services.ledger.succeed(claim, result or {"wheels": []}, log)


def test_a_request_is_taken_and_says_where_its_job_is(front_door):
    answer = front_door.http.post("/v1/builds", json={"requirements": ["NumPy >= 2"]})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/builds/{job['id']}"
    assert (job["kind"], job["state"], job["title"]) == ("build", "queued", "numpy>=2")
    assert (job["toolchain"], job["channel"]) == (Settings().toolchain, "default")
    assert front_door.guest.get(answer.headers["location"]).json()["id"] == job["id"]


def test_the_same_request_in_another_spelling_joins(front_door):
    first = submit(front_door, "numpy>=2", "Opencv_Python.Headless")
    second = submit(front_door, "opencv-python-headless", "numpy >=2", "numpy>=2")
    assert (second["id"], second["joined"], second["waiters"]) == (first["id"], True, 2)


def test_two_hundred_requests_at_once_are_one_job_with_two_hundred_waiters(front_door):
    gate = threading.Barrier(20)

    def ask(_number):
        gate.wait()
        return {submit(front_door, "numpy")["id"] for _ in range(10)}

    with ThreadPoolExecutor(20) as pool:
        ids = set().union(*pool.map(ask, range(20)))
    assert len(ids) == 1
    assert front_door.http.get(f"/v1/builds/{ids.pop()}").json()["waiters"] == 200


def test_what_was_made_lately_is_answered_at_once_with_its_result(front_door):
    first = submit(front_door, "numpy")
    work(front_door, first["id"], {"wheels": [{"project": "numpy"}]})
    answer = front_door.http.post("/v1/builds", json={"requirements": ["numpy"]})
    job = answer.json()
    assert (answer.status_code, job["id"], job["cached"]) == (200, first["id"], True)
    assert job["result"] == {"wheels": [{"project": "numpy"}]}
    assert answer.headers["location"] == f"/v1/builds/{first['id']}"


def test_an_answer_that_is_cached_costs_a_few_questions_and_no_write(front_door):
    work(front_door, submit(front_door, "numpy")["id"])
    submit(front_door, "numpy")
    with asked_statements(front_door.services.ledger.database) as asked:
        assert submit(front_door, "numpy")["cached"]
    # What that takes in milliseconds is measured by bench/jobs.
    assert len(asked) <= 4
    assert all(statement.startswith("SELECT") for statement in asked)


def test_refresh_asks_anew_and_its_answer_serves_who_asks_later(front_door):
    first = submit(front_door, "numpy")
    work(front_door, first["id"])
    second = submit(front_door, "numpy", refresh=True)
    assert second["id"] != first["id"]
    work(front_door, second["id"])
    assert submit(front_door, "numpy")["id"] == second["id"]


def test_another_channel_or_toolchain_is_another_job(front_door):
    front_door.services.channels.create(Channel(name="nightly"), "the-test")
    ids = {
        submit(front_door, "numpy")["id"],
        submit(front_door, "numpy", channel="nightly")["id"],
        submit(front_door, "numpy", toolchain="debian13-cp313")["id"],
    }
    assert len(ids) == 3


def test_a_request_is_taken_while_redis_is_out(settings_with, serve):
    door = serve(settings_with(redis_url="redis://127.0.0.1:9/0"))
    begun = time.monotonic()
    assert submit(door, "numpy")["state"] == "queued"
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"requirements": ["git+https://example.org/x.git"]}, "a path or an address"),
        ({"requirements": ["x @ https://example.org/x.tar.gz"]}, "names an address"),
        ({"requirements": ["./local"]}, "a path or an address"),
        ({"requirements": ["--index-url=https://example.org"]}, "a pip option"),
        ({"requirements": ["numpy=="]}, "can't be read as a requirement"),
        ({"requirements": ["num\x00py"]}, "can't be read as a requirement"),
        ({"requirements": ["demo @ git+https://git.example.org/demo.git@main"]}, "whole hash"),
        (
            {"requirements": [f"demo @ git+https://git.example.org/demo.git@{'1' * 40}"]},
            "does not fetch from",
        ),
        ({"requirements": ["numpy"], "constraints": ["x @ git+https://x.org/x@" + "1" * 40]}, "an address"),
        ({"requirements": ["numpy"], "hashes": {"numpy": ["md5:abc"]}}, "hashes.numpy"),
        ({"requirements": ["../../etc/passwd"]}, "a path or an address"),
        ({"requirements": ["x" * 10_000]}, "requirements.0"),
        ({"requirements": []}, "requirements"),
        ({"requirements": ["# nothing"]}, "no requirement was given"),
        ({"requirements": ["numpy"] * 2001}, "requirements"),
        ({"requirements": "numpy"}, "requirements"),
        ({"requirements": ["numpy"], "channel": "../up"}, "is not a channel's name"),
        ({"requirements": ["numpy"], "channel": "Default"}, "is not a channel's name"),
        ({"requirements": ["numpy"], "toolchain": "debian12-cp399"}, "there is no toolchain"),
        ({"requirements": ["numpy"], "toolchain": "../../etc/passwd"}, "there is no toolchain"),
        ({"requirements": ["numpy"], "refersh": True}, "refersh"),
        ({}, "requirements"),
    ],
)
def test_wrong_input_is_refused_in_plain_words(front_door, body, words):
    answer = front_door.http.post("/v1/builds", json=body)
    problem = answer.json()
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in problem["detail"]
    assert problem["status"] == answer.status_code
    assert problem["instance"] == "/v1/builds"
    assert len(answer.content) < 5000


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff\xfe", b'{"requirements": ["\\ud800"]}', b'{"requirements": [' * 5000]
)
def test_a_body_that_is_no_request_is_refused(front_door, content):
    answer = front_door.http.post("/v1/builds", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_refused_with_and_without_its_length(front_door):
    body = b'{"requirements": ["' + b"x" * (2 << 20) + b'"]}'
    headers = {"content-type": "application/json"}
    assert front_door.http.post("/v1/builds", content=body, headers=headers).status_code == 413
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    answer = front_door.http.post("/v1/builds", content=pieces, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Token a-token-of-the-tests"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic dXNlcjphLXRva2VuLW9mLXRoZS10ZXN0cw=="},
    ],
)
def test_writes_ask_for_the_token(front_door, headers):
    job = submit(front_door, "numpy")
    for method, place in (
        ("POST", "/v1/builds"),
        ("POST", "/v1/images"),
        ("POST", "/v1/toolchains/debian12-cp311/builds"),
        ("DELETE", f"/v1/jobs/{job['id']}"),
        ("PUT", f"/v1/blobs/{Digest.of(b'x')}"),
    ):
        answer = front_door.guest.request(method, place, json={"requirements": ["six"]}, headers=headers)
        assert answer.status_code == 401, (method, place)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Basic" in answer.headers["www-authenticate"]


def test_basic_authentication_with_the_user_token_is_taken(front_door):
    answer = front_door.guest.post(
        "/v1/builds", json={"requirements": ["six"]}, auth=("__token__", "a-token-of-the-tests")
    )
    assert answer.status_code == 202


def test_a_service_without_a_token_takes_every_request(settings_with, redis_url, serve):
    door = serve(settings_with(redis_url=redis_url, token=""))
    assert door.guest.post("/v1/builds", json={"requirements": ["six"]}).status_code == 202


def test_a_job_that_nobody_else_waits_for_is_cancelled(front_door):
    job = submit(front_door, "numpy")
    left = front_door.http.delete(f"/v1/builds/{job['id']}").json()
    assert (left["state"], left["error"]["kind"]) == ("cancelled", "cancelled")
    again = front_door.http.delete(f"/v1/builds/{job['id']}")
    assert (again.status_code, again.json()["kind"]) == (409, "conflict")


def test_leaving_a_job_does_not_end_it_for_the_others(front_door):
    job = submit(front_door, "numpy")
    submit(front_door, "numpy")
    assert front_door.http.delete(f"/v1/builds/{job['id']}").json()["state"] == "queued"
    assert front_door.http.delete(f"/v1/builds/{job['id']}").json()["state"] == "cancelled"


def test_a_failed_job_says_why_as_a_problem(front_door):
    job = submit(front_door, "numpy")
    claim = front_door.services.ledger.claim(job["id"], "worker", 30)
    error = BuildFailed(
        "numpy 2.4.6 does not compile", found="fatal error: zlib.h", do="add zlib1g-dev", log="x"
    )
    front_door.services.ledger.fail(claim, error)
    answer = front_door.guest.get(f"/v1/builds/{job['id']}").json()
    assert answer["state"] == "failed"
    assert answer["error"]["detail"] == error.failed
    assert answer["error"]["facts"] == {"log": "x"}
    assert answer["error"]["instance"] == f"/v1/builds/{job['id']}"


def test_a_job_shows_its_children_and_on_demand_its_moves(front_door):
    ledger = front_door.services.ledger
    job = submit(front_door, "numpy")
    child, _joined = ledger.submit(
        Kind.WHEEL, "c" * 64, spec={}, title="numpy 2.4.6", toolchain="debian12-cp311"
    )
    ledger.park(ledger.claim(job["id"], "worker", 30), [child.id], {})
    claim = ledger.claim(child.id, "worker", 30)
    ledger.advance(claim, "compile")
    answer = front_door.guest.get(f"/v1/builds/{job['id']}", params={"transitions": True}).json()
    assert (answer["state"], answer["phase"]) == ("building", "waiting")
    shown = answer["children"][0]
    assert (shown["id"], shown["title"], shown["state"], shown["phase"]) == (
        child.id,
        "numpy 2.4.6",
        "building",
        "compile",
    )
    assert shown["links"]["self"] == f"/v1/jobs/{child.id}"
    assert [move["to"] for move in answer["transitions"]] == ["queued", "building", "building"]
    assert front_door.guest.get(f"/v1/builds/{job['id']}").json()["transitions"] is None


def test_jobs_are_found_below_their_own_kind_and_below_jobs(front_door):
    build = submit(front_door, "numpy")
    image = submit(front_door, "numpy", place="/v1/images")
    assert image["title"] == "image of numpy"
    assert front_door.guest.get(f"/v1/images/{build['id']}").status_code == 404
    assert front_door.guest.get(f"/v1/builds/{image['id']}").status_code == 404
    for job in (build, image):
        assert front_door.guest.get(f"/v1/jobs/{job['id']}").json()["id"] == job["id"]

    def listed(place):
        return [job["id"] for job in front_door.guest.get(place).json()["jobs"]]

    assert listed("/v1/builds") == [build["id"]]
    assert listed("/v1/images") == [image["id"]]
    assert listed("/v1/jobs") == [image["id"], build["id"]]
    assert listed("/v1/jobs?limit=1") == [image["id"]]


@pytest.mark.parametrize("job_id", ["f" * 32, "123", "..%2f..", "%00", "F" * 32, "x" * 99])
def test_a_job_that_does_not_exist_is_not_found(front_door, job_id):
    for tail in ("", "/events", "/log"):
        answer = front_door.guest.get(f"/v1/jobs/{job_id}{tail}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_an_image_request_is_checked(front_door):
    for fields in (
        {"app": str(Digest.of(b"never uploaded"))},
        {"app": "latest"},
        {"user": "root"},
        {"workdir": "app"},
        {"workdir": "/app/../etc"},
        {"environment": {"A=B": "c"}},
        {"environment": {"A": "nul\x00"}},
        {"entrypoint": "python3"},
    ):
        answer = front_door.http.post("/v1/images", json={"requirements": ["numpy"], **fields})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
            fields
        )


def test_an_image_request_reaches_the_job_as_it_was_sent(front_door):
    tar = b"a tar of an application"
    front_door.http.put(f"/v1/blobs/{Digest.of(tar)}", content=tar)
    fields = {
        "app": str(Digest.of(tar)),
        "entrypoint": ["python3", "/app/main.py"],
        "command": ["--fast"],
        "environment": {"LANG": "C.UTF-8"},
        "labels": {"org.opencontainers.image.title": "clip"},
        "workdir": "/srv",
        "user": "7:7",
    }
    job = submit(front_door, "numpy", place="/v1/images", **fields)
    spec = front_door.services.ledger.get(job["id"]).spec
    assert {name: spec[name] for name in fields} == fields
    assert spec["build"]["requirements"] == ["numpy"]


def test_the_log_is_the_finished_one_with_those_of_the_children_below(front_door):
    services = front_door.services
    job = submit(front_door, "numpy")
    child, _joined = services.ledger.submit(
        Kind.WHEEL, "c" * 64, spec={}, title="numpy 2.4.6", toolchain="debian12-cp311"
    )
    services.ledger.park(services.ledger.claim(job["id"], "worker", 30), [child.id], {})
    kept = gzip.compress(b"[1/208] cc -c a.c\n" * 10_000)
    services.store.put_blob(kept, Digest.of(kept))
    work(front_door, child.id, log=str(Digest.of(kept)))
    plan = gzip.compress(b"plan: 1 wheel\n")
    services.store.put_blob(plan, Digest.of(plan))
    work(front_door, job["id"], log=str(Digest.of(plan)))
    answer = front_door.guest.get(f"/v1/builds/{job['id']}/log")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    head, _sep, tail = answer.text.partition(f"\n==> numpy 2.4.6 (wheel, succeeded, job {child.id})\n")
    assert head == "plan: 1 wheel\n"
    assert tail == "[1/208] cc -c a.c\n" * 10_000


def test_the_log_of_a_running_job_is_what_it_said_so_far(front_door):
    job = submit(front_door, "numpy")
    for owner, text in ((job["id"], "mine"), ("e" * 32, "my child's")):
        event = Event(type="line", job=owner, at=1.0, facts={"text": text})
        front_door.services.events.add([job["id"]], event)
    assert front_door.guest.get(f"/v1/jobs/{job['id']}/log").text == "mine\n"


def test_a_log_that_the_store_lost_or_cut_says_so(front_door):
    job = submit(front_door, "numpy")
    work(front_door, job["id"], log=str(Digest.of(b"lost")))
    assert "is not in the store" in front_door.guest.get(f"/v1/jobs/{job['id']}/log").text
    cut = gzip.compress(b"a line\n" * 1000)[:-20]
    front_door.services.store.put_blob(cut, Digest.of(cut))
    job = submit(front_door, "six")
    work(front_door, job["id"], log=str(Digest.of(cut)))
    assert "cut off" in front_door.guest.get(f"/v1/jobs/{job['id']}/log").text


def test_the_client_speaks_with_the_service(front_door, publish):
    with Client(front_door.url, "a-token-of-the-tests") as client:
        job = client.build({"requirements": ["numpy"]})
        assert client.job(job.id).state == "queued"
        assert [one.id for one in client.jobs()] == [job.id]
        assert client.cancel(job.id).state == "cancelled"
        assert client.job(job.id).failure().kind == "cancelled"
        with pytest.raises(Conflict, match="ended already"):
            client.cancel(job.id)
        with pytest.raises(NotFound, match="there is no toolchain"):
            client.build({"requirements": ["numpy"], "toolchain": "nope"})
        assert client.image({"requirements": ["numpy"]}).kind == "image"
        assert client.build_toolchain("debian12-cp311").kind == "toolchain"
        assert "debian12-cp311" in [toolchain["name"] for toolchain in client.toolchains()]
        record = publish(front_door.services)
        assert [wheel.digest for wheel in client.wheels("Tiny_Thing")] == [record.digest]
        assert client.wheels("other") == []
        tar = b"a tar"
        assert not client.has_blob(Digest.of(tar))
        client.put_blob(Digest.of(tar), len(tar), [tar])
        assert client.has_blob(Digest.of(tar))
        assert client.health()["status"] == "ok"
    with Client(front_door.url, "wrong") as client, pytest.raises(Unauthorized):
        client.build({"requirements": ["numpy"]})
