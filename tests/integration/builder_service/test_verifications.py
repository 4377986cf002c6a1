"""Verifications over HTTP: which wheel is meant, one job for equal requests, and no wheel of nobody."""

from __future__ import annotations

import pytest


def ask(door, **body):
    return door.http.post("/v1/verifications", json={"project": "tiny-thing", "version": "1.0", **body})


def test_a_published_wheel_becomes_a_job_of_its_build_key(front_door, publish):
    record = publish(front_door.services)
    answer = ask(front_door)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["kind"], found["title"]) == ("verify", "verification of tiny-thing 1.0")
    assert found["links"]["self"] == f"/v1/verifications/{found['id']}"
    job = front_door.services.ledger.get(found["id"])
    assert (job.spec["build_key"], job.spec["inputs"]) == (record.key, record.inputs.to_document())
    assert job.queue == "toolchain.debian12-cp311"
    assert job.key != record.key
    assert front_door.guest.get(found["links"]["self"]).json()["id"] == found["id"]


def test_equal_requests_share_a_job_and_one_that_ended_is_done_anew(front_door, publish):
    publish(front_door.services)
    first, second = ask(front_door).json(), ask(front_door, project="Tiny.Thing", version="1.0.0").json()
    assert second["id"] == first["id"]
    assert second["joined"]
    ledger = front_door.services.ledger
    ledger.succeed(ledger.claim(first["id"], "the-test", 60), {"verification": {"equal": True}})
    assert ask(front_door).json()["id"] != first["id"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"version": "2.0"}, 404, "wheelyard build"),
        ({"project": "nobodys"}, 404, "wheelyard build"),
        ({"toolchain": "debian13-cp313"}, 404, "debian13-cp313"),
        ({"toolchain": "nosuch"}, 404, "no toolchain"),
        ({"channel": "nosuch"}, 404, "channel"),
        ({"version": "no version"}, 422, "no version"),
        ({"surplus": 1}, 422, "surplus"),
    ],
)
def test_what_is_no_wheel_of_ours_is_said(front_door, publish, body, status, words):
    publish(front_door.services)
    answer = ask(front_door, **body)
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_whoever_may_not_build_may_not_verify(front_door, publish):
    publish(front_door.services)
    body = {"project": "tiny-thing", "version": "1.0"}
    assert front_door.guest.post("/v1/verifications", json=body).status_code == 401
