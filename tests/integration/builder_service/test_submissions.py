"""What a request may say of its sender, and what its answer says back: waiter, place, key, webhook."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from wheelyard.channels import Channel
from wheelyard.jobs.states import Kind, Priority
from wheelyard.jobs.workers import WorkerIdentity, WorkerRegistry

SECRET = "whsec_" + "QUFB" * 8
HOOK = "https://ci.example.org/hook?token=hunter2"


def post(door, place="/v1/builds", key="", **body):
    headers = {"idempotency-key": key} if key else {}
    if "toolchains" not in place:
        body = {"requirements": ["numpy"], **body}
    return door.http.post(place, json=body, headers=headers)


def finish(door, job_id):
    ledger = door.services.ledger
    ledger.succeed(ledger.claim(job_id, "worker", 30), {"wheels": []})


@pytest.fixture
def signing_door(settings_with, redis_url, serve):
    return serve(settings_with(redis_url=redis_url, webhook_secret=SecretStr(SECRET)))


PLACES = ["/v1/builds", "/v1/plans", "/v1/images", "/v1/toolchains/debian12-cp311/builds"]


@pytest.mark.parametrize("place", PLACES)
def test_a_request_says_who_sends_it_and_how_urgent_it_is(front_door, place):
    job = post(front_door, place, client="ada@workstation", priority="batch").json()
    assert (job["client"], job["priority"]) == ("ada@workstation", "batch")
    kept = front_door.services.ledger.get(job["id"])
    assert (kept.client, kept.priority) == ("ada@workstation", Priority.BATCH)


def test_neither_is_part_of_the_work(front_door):
    first = post(front_door, client="ada", priority="batch").json()
    second = post(front_door, client="bob").json()
    assert (second["id"], second["client"], second["priority"]) == (first["id"], "ada", "interactive")
    assert first["waiter"] != second["waiter"]


def test_who_gives_no_name_is_known_by_his_address(front_door):
    assert post(front_door).json()["client"] == "127.0.0.1"
    front_door.services.channels.create(Channel(name="x"), "the-test")
    assert post(front_door, channel="x", client=" \x1b[31m a \u202e\n b ").json()["client"] == "[31m a b"


@pytest.mark.parametrize("fields", [{"priority": "urgent"}, {"client": "x" * 201}, {"client": 7}])
def test_a_sender_that_can_not_be_is_refused(front_door, fields):
    for place in PLACES:
        assert post(front_door, place, **fields).status_code == 422


def test_the_waiter_that_is_named_leaves_and_no_other(front_door):
    first, second, third = (post(front_door).json() for _ in range(3))
    place = f"/v1/builds/{first['id']}"
    for _ in range(2):
        assert front_door.http.delete(place, params={"waiter": first["waiter"]}).json()["waiters"] == 2
    # Without a name it is the latest.
    assert front_door.http.delete(place).json()["waiters"] == 1
    assert front_door.http.delete(place, params={"waiter": third["waiter"]}).json()["waiters"] == 1
    assert front_door.http.delete(place, params={"waiter": second["waiter"]}).json()["state"] == "cancelled"
    assert front_door.http.delete(place, params={"waiter": second["waiter"]}).json()["state"] == "cancelled"


def test_who_waited_until_the_end_is_told_that_it_was_the_end(front_door):
    job = post(front_door).json()
    finish(front_door, job["id"])
    answer = front_door.http.delete(f"/v1/builds/{job['id']}", params={"waiter": job["waiter"]})
    assert (answer.status_code, answer.json()["kind"]) == (409, "conflict")


def test_a_job_that_waits_can_not_be_taken_from_its_child(front_door):
    ledger = front_door.services.ledger
    parent = post(front_door).json()["id"]
    child, _joined = ledger.submit(
        Kind.WHEEL, "c" * 64, spec={}, title="numpy", toolchain="debian12-cp311", waiter=parent
    )
    answer = front_door.http.delete(f"/v1/jobs/{child.id}", params={"waiter": parent})
    assert (answer.status_code, ledger.get(child.id).waiters) == (409, 1)
    assert front_door.http.delete(f"/v1/jobs/{child.id}", params={"waiter": "a b"}).status_code == 422


def test_an_answer_says_where_the_job_stands(front_door):
    worker = WorkerIdentity(owner="w", host="h", pid=1, version="1", queues=("plans",), slots=1)
    WorkerRegistry(front_door.services.ledger.database).beat(worker, draining=False)
    first = post(front_door).json()
    assert first["queue"] == {"place": 1, "ahead": 0, "wait_seconds": 0.0, "usual_seconds": None}
    front_door.services.channels.create(Channel(name="x"), "the-test")
    second = post(front_door, channel="x").json()
    assert (second["queue"]["place"], second["queue"]["wait_seconds"]) == (2, None)
    listed = {job["id"]: job["queue"] for job in front_door.guest.get("/v1/jobs").json()["jobs"]}
    assert listed == {job["id"]: job["queue"] for job in (first, second)}
    finish(front_door, first["id"])
    assert front_door.guest.get(f"/v1/jobs/{first['id']}").json()["queue"] is None
    assert front_door.guest.get(f"/v1/jobs/{second['id']}").json()["queue"]["place"] == 1


def test_children_say_where_they_stand_and_their_parent_how_long_it_waits(front_door):
    ledger = front_door.services.ledger
    parent = post(front_door).json()["id"]
    claim = ledger.claim(parent, "worker", 30)
    child, _joined = ledger.submit(
        Kind.WHEEL, "c" * 64, spec={}, title="numpy", toolchain="debian12-cp311", waiter=parent
    )
    ledger.park(claim, [child.id], {})
    answer = front_door.guest.get(f"/v1/builds/{parent}").json()
    assert answer["queue"] == {"place": 0, "ahead": 0, "wait_seconds": None, "usual_seconds": None}
    assert answer["children"][0]["queue"]["place"] == 1


# -- Idempotency-Key ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_a_repeat_with_the_same_key_has_the_same_answer(front_door, place):
    first = post(front_door, place, '"8e03978e-40d5-43dd-bc93-6894a57f9324"')
    # The draft's string in quotes and the bare word that most clients send are the same key.
    second = post(front_door, place, "8e03978e-40d5-43dd-bc93-6894a57f9324")
    assert (first.status_code, second.status_code) == (202, 202)
    for name in ("id", "waiter", "joined", "cached", "waiters"):
        assert first.json()[name] == second.json()[name], name
    assert second.headers["location"] == first.headers["location"]


def test_a_repeat_after_the_end_has_the_job_that_ended(front_door):
    first = post(front_door, key="a").json()
    finish(front_door, first["id"])
    newer = post(front_door, key="b", refresh=True).json()
    repeat = post(front_door, key="a")
    assert (repeat.status_code, repeat.json()["id"], repeat.json()["waiter"]) == (
        200,
        first["id"],
        first["waiter"],
    )
    assert newer["id"] != first["id"]


def test_a_hit_is_repeated_as_a_hit(front_door):
    finish(front_door, post(front_door).json()["id"])
    first, second = (post(front_door, key="a") for _ in range(2))
    assert (first.status_code, first.json()["cached"], first.json()["waiter"]) == (200, True, "")
    assert second.json() == first.json()


@pytest.mark.parametrize(
    ("place", "body", "found"),
    [
        ("/v1/images", {}, "it was sent to POST /v1/builds then, and to POST /v1/images now"),
        ("/v1/builds", {"requirements": ["six"]}, "other than then: requirements"),
        ("/v1/builds", {"priority": "batch", "refresh": True}, "other than then: priority, refresh"),
    ],
)
def test_the_same_key_with_another_request_is_refused(front_door, place, body, found):
    post(front_door, key="a")
    answer = post(front_door, place, "a", **body)
    problem = answer.json()
    assert (answer.status_code, problem["kind"], problem["found"]) == (422, "input", found)
    assert "was used for another request" in problem["detail"]
    assert len(front_door.services.ledger.latest()) == 1


def test_a_field_that_is_left_out_is_the_same_as_its_default(front_door):
    first = post(front_door, key="a").json()
    assert post(front_door, key="a", channel="default", refresh=False).json()["id"] == first["id"]


def test_a_key_is_its_senders_own(front_door):
    first = post(front_door, key="a", client="ada").json()
    second = post(front_door, key="a", client="bob").json()
    assert (second["id"] == first["id"], second["waiter"] == first["waiter"]) == (True, False)


@pytest.mark.parametrize("key", ['""', '"open', '"a"b"', "x" * 256, "\u00e4".encode()])
def test_a_key_that_is_none_is_refused(front_door, key):
    answer = front_door.http.post(
        "/v1/builds", json={"requirements": ["numpy"]}, headers={"idempotency-key": key}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert front_door.services.ledger.latest() == []


def test_a_request_that_was_refused_may_be_mended_under_its_key(front_door):
    assert post(front_door, key="a", toolchain="nope").status_code == 404
    assert post(front_door, key="a").status_code == 202


# -- webhooks ----------------------------------------------------------------------------------------


def test_without_a_secret_a_webhook_is_refused(front_door):
    answer = post(front_door, webhook=HOOK)
    assert answer.status_code == 422
    assert "no secret to sign them with" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["http://ci.example.org/", "https://10.0.0.1/", "https://localhost/", "x"])
def test_a_webhook_into_the_network_is_refused(signing_door, url):
    answer = post(signing_door, webhook=url)
    assert answer.status_code == 422
    assert "the webhook's address is not taken" in answer.json()["detail"]


def test_the_history_of_a_webhook_shows_no_secret_of_its_address(signing_door):
    job = post(signing_door, webhook=HOOK).json()
    place = f"/v1/jobs/{job['id']}/webhooks"
    assert signing_door.guest.get(place).json() == {"webhooks": []}
    finish(signing_door, job["id"])
    answer = signing_door.guest.get(place)
    (entry,) = answer.json()["webhooks"]
    assert (entry["address"], entry["outcome"], entry["attempts"]) == ("https://ci.example.org/…", "due", 0)
    for text in (answer.text, signing_door.guest.get(f"/v1/jobs/{job['id']}").text):
        assert "hunter2" not in text


def test_a_hit_is_told_too_and_once_for_each_request(signing_door):
    finish(signing_door, post(signing_door).json()["id"])
    for _ in range(2):
        job = post(signing_door, key="a", webhook=HOOK).json()
    assert job["cached"]
    assert len(signing_door.services.deliveries.of_job(job["id"])) == 1
