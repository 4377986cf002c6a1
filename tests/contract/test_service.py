"""The front door as the client sees it: the fake and the real one, held to one contract."""

from __future__ import annotations

import io
import json
import time
from contextlib import contextmanager

import httpx2
import pytest

from tests.databases import migrated_sqlite
from tests.fake_service import FakeService, serving
from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.errors import (
    BuildFailed,
    Cancelled,
    Conflict,
    Forbidden,
    ForeignOutputRefused,
    InputError,
    NotFound,
    Unauthorized,
    WheelyardError,
)
from wheelyard.event import Event
from wheelyard.following import Following

TOKEN = "a-token-of-the-tests"
REQUEST = {
    "requirements": ["tiny-thing"],
    "toolchain": "debian12-cp311",
    "channel": "default",
    "refresh": False,
}


class FakeWorld:
    """The fake, with a test in its worker's place."""

    def __init__(self, service: FakeService):
        self.service, self.url = service, service.url

    def say(self, job_id, kind, **facts):
        self.service.say(self.service.jobs[job_id], kind, **facts)

    def succeed(self, job_id, result):
        self.service.succeed(self.service.jobs[job_id], result)

    def fail(self, job_id, error):
        self.service.fail(self.service.jobs[job_id], error)

    def add_child(self, job_id, title):
        return self.service.add_child(self.service.jobs[job_id], "wheel", title).id

    def publish(self, filename):
        return self.service.publish(filename, sdist=b"a source"), Digest.of(b"a source")


class RealWorld:
    """The front door over real servers, with a test in the worker's place."""

    def __init__(self, door):
        self.services, self.url, self.claims = door.services, door.url, {}

    def _claim(self, job_id):
        if job_id not in self.claims:
            self.claims[job_id] = self.services.ledger.claim(job_id, "the-test", 60)
        return self.claims[job_id]

    def say(self, job_id, kind, **facts):
        if kind == "phase":
            self.services.ledger.advance(self._claim(job_id), facts["name"])
        job = self.services.ledger.get(job_id)
        event = Event(type=kind, job=job_id, title=job.title, at=time.time(), facts=facts)
        self.services.events.add([job_id, *self.services.ledger.parents(job_id)], event)

    def succeed(self, job_id, result):
        self.services.ledger.succeed(self._claim(job_id), result)
        self.say(job_id, "done", state="succeeded", result=result)

    def fail(self, job_id, error):
        state = self.services.ledger.fail(self._claim(job_id), error)
        self.say(job_id, "done", state=state.value, error=error.to_document())

    def add_child(self, job_id, title):
        from wheelyard.jobs.states import Kind

        child, _ = self.services.ledger.submit(
            Kind.WHEEL, title, spec={}, title=title, toolchain="debian12-cp311", actor="the-test"
        )
        claim = self._claim(job_id)
        self.services.ledger.park(claim, [child.id], claim.job.spec)
        self.claims.pop(job_id)
        return child.id

    def publish(self, filename):
        from tests.integration.builder_service.conftest import publish_wheel

        project, version = filename.split("-")[:2]
        record = publish_wheel(self.services, project.replace("_", "-"), version)
        assert record.filename == filename
        return record.digest, Digest.parse(record.inputs.sdist)


@contextmanager
def fake_world():
    with serving(FakeService(token=TOKEN)) as service:
        yield FakeWorld(service)


@contextmanager
def real_world(request):
    from builder_service.services import open_services
    from tests.integration.builder_service.conftest import serving as serving_real

    folder = request.getfixturevalue("tmp_path")
    fields = {
        "token": TOKEN,
        "data_dir": folder / "data",
        "database_url": migrated_sqlite(folder / "jobs.db"),
        "redis_url": request.getfixturevalue("redis_url"),
    }
    settings = request.getfixturevalue("s3_settings")
    settings = type(settings)(**(settings.model_dump() | fields))
    with serving_real(open_services(settings)) as door:
        yield RealWorld(door)


@pytest.fixture(params=["fake", "real"])
def world(request):
    with fake_world() if request.param == "fake" else real_world(request) as made:
        yield made


@pytest.fixture
def client(world):
    with Client(world.url, TOKEN) as made:
        yield made


def test_a_new_request_is_queued_under_its_title(client):
    job = client.build(REQUEST)
    assert (job.kind, job.state, job.title, job.waiters) == ("build", "queued", "tiny-thing", 1)
    assert client.job(job.id).document["created_at"] == pytest.approx(time.time(), abs=60)


def test_the_same_request_joins_and_another_does_not(client):
    first, second = client.build(REQUEST), client.build(REQUEST)
    other = client.build({**REQUEST, "requirements": ["another-thing"]})
    assert first.id == second.id != other.id
    assert second.waiters == 2


def test_a_request_that_succeeded_is_answered_at_once(client, world):
    job = client.build(REQUEST)
    world.succeed(job.id, {"lock": str(Digest.of(b"lock")), "wheels": [], "seconds": 1.5})
    again = client.build(REQUEST)
    assert (again.id, again.state) == (job.id, "succeeded")
    assert again.result["seconds"] == 1.5


def test_events_come_in_order_and_end_with_done(client, world):
    job = client.build(REQUEST)
    world.say(job.id, "phase", name="compile")
    world.say(job.id, "step", done=1, total=2, text="one")
    world.say(job.id, "line", text="two")
    world.succeed(job.id, {"wheels": []})
    events = [event for event in Following(client, job.id).events() if event is not None]
    assert [event.type for event in events] == ["phase", "step", "line", "done"]
    assert events[1].facts == {"done": 1, "total": 2, "text": "one"}
    assert events[-1].facts["state"] == "succeeded"
    assert {event.title for event in events} == {"tiny-thing"}


def test_a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice(client, world):
    job = client.build(REQUEST)
    for text in ("one", "two", "three"):
        world.say(job.id, "line", text=text)
    world.succeed(job.id, {"wheels": []})
    with client.events(job.id, "", 10) as response:
        messages = list(httpx2.EventSource(response))
    told = [message for message in messages if message.data]
    with client.events(job.id, told[1].id, 10) as response:
        rest = [message.data for message in httpx2.EventSource(response) if message.data]
    assert [json.loads(body).get("text") for body in rest] == ["three", None]


def test_events_of_a_job_that_is_waited_for_come_too(client, world):
    job = client.build(REQUEST)
    child = world.add_child(job.id, "tiny-thing 1.0")
    world.say(child, "phase", name="compile")
    world.succeed(child, {"digest": "x"})
    world.succeed(job.id, {"wheels": []})
    events = [event for event in Following(client, job.id).events() if event is not None]
    assert [(event.job, event.type) for event in events] == [
        (child, "phase"),
        (child, "done"),
        (job.id, "done"),
    ]
    assert [(c.id, c.title, c.state) for c in client.job(job.id).children] == [
        (child, "tiny-thing 1.0", "succeeded")
    ]


def test_a_failed_jobs_error_is_the_same_error_here(client, world):
    job = client.build(REQUEST)
    error = BuildFailed("tiny: compile failed", found="x.c:1: error: no", do="mend it", first_error="x.c:1")
    world.fail(job.id, error)
    found = client.job(job.id).failure()
    assert type(found) is BuildFailed
    assert found.to_document() == error.to_document()


def test_an_unclaimed_job_is_cancelled_at_once(client):
    job = client.build(REQUEST)
    left = client.cancel(job.id)
    assert left.state == "cancelled"
    assert isinstance(client.job(job.id).failure(), Cancelled)
    events = [event for event in Following(client, job.id).events() if event is not None]
    assert events[-1].facts["state"] == "cancelled"


def test_a_job_goes_on_where_another_waits_for_it(client):
    job = client.build(REQUEST)
    client.build(REQUEST)
    left = client.cancel(job.id)
    assert (left.ended, left.waiters, left.cancel_requested) == (False, 1, False)


def test_the_waiter_that_an_answer_names_leaves_once(client):
    first, second = client.build(REQUEST), client.build(REQUEST)
    assert first.waiter != second.waiter
    for _ in range(2):
        assert client.cancel(first.id, first.waiter).waiters == 1
    for _ in range(2):
        assert client.cancel(second.id, second.waiter).state == "cancelled"


def test_who_asks_and_how_urgently_is_no_part_of_the_work(world):
    with Client(world.url, TOKEN, name="ada@workstation") as ada, Client(world.url, TOKEN) as bob:
        first = ada.build({**REQUEST, "priority": "batch"})
        assert (first.client, first.priority) == ("ada@workstation", "batch")
        assert ada.job(first.id).client == "ada@workstation"
        assert bob.build(REQUEST).id == first.id
        assert ada.build_toolchain("debian12-cp311", {"priority": "batch"}).priority == "batch"


def test_nobody_is_told_of_a_job_without_webhooks(client):
    assert client.webhooks(client.build(REQUEST).id) == []


def test_a_running_job_is_asked_to_end(client, world):
    job = client.build(REQUEST)
    world.say(job.id, "phase", name="compile")
    left = client.cancel(job.id)
    assert (left.ended, left.cancel_requested) == (False, True)


def test_an_ended_job_can_not_be_cancelled(client, world):
    job = client.build(REQUEST)
    world.succeed(job.id, {"wheels": []})
    with pytest.raises(Conflict):
        client.cancel(job.id)


def test_a_job_that_does_not_exist_is_not_found(client):
    for ask in (client.job, client.cancel, lambda job_id: list(client.log(job_id))):
        with pytest.raises(NotFound):
            ask("0" * 32)
    with pytest.raises(NotFound):
        list(Following(client, "0" * 32).events())


def test_jobs_are_listed_newest_first(client):
    ids = []
    for name in ("one", "two"):
        ids.append(client.build({**REQUEST, "requirements": [name]}).id)
        time.sleep(0.01)
    assert [job.id for job in client.jobs()] == ids[::-1]


def test_a_log_is_lines_of_text(client, world):
    job = client.build(REQUEST)
    world.say(job.id, "line", text="first")
    world.say(job.id, "line", text="second")
    assert list(client.log(job.id))[:2] == ["first", "second"]


def test_an_image_request_is_taken_with_all_its_fields(client):
    body = b"a tar"
    client.put_blob(Digest.of(body), len(body), [body])
    job = client.image(
        {
            **REQUEST,
            "app": str(Digest.of(body)),
            "entrypoint": ["python3", "main.py"],
            "command": ["--help"],
            "environment": {"A": "b"},
            "labels": {"team": "video"},
            "workdir": "/app",
            "user": "1000:1000",
        }
    )
    assert (job.kind, job.state) == ("image", "queued")


def test_blobs_go_in_and_come_out_whole(client):
    body = bytes(range(256)) * 4000
    digest = Digest.of(body)
    assert not client.has_blob(digest)
    stream = io.BytesIO(body)
    client.put_blob(digest, len(body), iter(lambda: stream.read(10_000), b""))
    assert client.has_blob(digest)
    with client.blob(digest) as chunks:
        assert b"".join(chunks) == body


def test_bytes_under_a_wrong_digest_are_refused(client):
    with pytest.raises((InputError, ForeignOutputRefused)):
        client.put_blob(Digest.of(b"right"), 5, [b"wrong"])
    assert not client.has_blob(Digest.of(b"right"))


def test_a_blob_that_is_not_there_is_not_found(client):
    with pytest.raises(NotFound), client.blob(Digest.of(b"nothing")):
        pass


def test_writes_ask_for_the_token_and_reads_do_not(world, client):
    job = client.build(REQUEST)
    for token in ("", "another"):
        with Client(world.url, token) as guest:
            assert guest.job(job.id).id == job.id
            for write in (
                lambda guest=guest: guest.build(REQUEST),
                lambda guest=guest: guest.cancel(job.id),
                lambda guest=guest: guest.put_blob(Digest.of(b"x"), 1, [b"x"]),
            ):
                with pytest.raises(Unauthorized):
                    write()


def test_a_token_is_made_listed_and_revoked(client):
    made = client.create_token({"name": "CI", "scopes": ["build"], "channels": ["default"], "expires": "12h"})
    assert made["secret"].startswith("wy_")
    assert (made["scopes"], made["channels"]) == (["build"], ["default"])
    assert made["expires_at"] - made["made_at"] == pytest.approx(12 * 3600, abs=1)
    (listed,) = client.tokens()
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    for _ in range(2):
        assert client.revoke_token(made["id"])["revoked_at"] > 0
    assert (client.tokens(), len(client.tokens(ended=True))) == ([], 1)
    with pytest.raises(NotFound):
        client.revoke_token("no-such-token")


def test_a_token_does_what_its_scopes_say(client, world):
    made = {
        scope: client.create_token({"name": scope, "scopes": [scope], "expires": "never"})["secret"]
        for scope in ("build", "admin")
    }
    with Client(world.url, made["build"]) as builder:
        assert builder.build(REQUEST).state == "queued"
        for ask in (builder.tokens, lambda: builder.build_toolchain("debian12-cp311")):
            with pytest.raises(Forbidden):
                ask()
    with Client(world.url, made["admin"]) as admin:
        assert len(admin.tokens()) == 2
        assert admin.build_toolchain("debian12-cp311").kind == "toolchain"


def test_refuses_a_token_that_makes_no_sense(client):
    for change in ({"scopes": []}, {"expires": "tomorrow"}, {"name": ""}):
        with pytest.raises(InputError):
            client.create_token({"name": "CI", "scopes": ["read"], **change})


def test_toolchains_say_their_python_policy_and_image(client):
    found = {entry["name"]: entry for entry in client.toolchains()}
    one = client.toolchain("debian12-cp311")
    assert one["name"] in found
    assert (one["python"], one["policy"], one["image"]) == ("3.11", "manylinux_2_36_x86_64", "")


def test_a_toolchain_that_does_not_exist_is_not_found(client):
    with pytest.raises(NotFound):
        client.toolchain("no-such-toolchain")


def test_a_toolchain_can_be_asked_for(client):
    job = client.build_toolchain("debian12-cp311")
    assert (job.kind, job.title) == ("toolchain", "toolchain debian12-cp311")


def test_recipes_are_listed_and_say_which_file_says_what(client):
    assert "numpy" in {entry["project"] for entry in client.recipes()}
    one = client.recipe("numpy", version="2.4.6")
    assert one["project"] == "numpy"
    assert one["fields"]["imports"][0] == "numpy"
    assert one["origins"]["imports"] == one["layers"][0]["name"] == "infra/recipes/numpy.toml"
    assert client.recipe("needs-none")["layers"] == []


def test_a_variant_that_a_recipe_lacks_is_not_found(client):
    with pytest.raises(NotFound, match="no-such-variant"):
        client.recipe("numpy", variant="no-such-variant")


def test_an_empty_cache_holds_no_wheels(client):
    assert client.wheels() == []
    assert client.wheels("numpy", "default") == []


def test_readiness_is_a_document(client):
    assert client.health()["status"] == "ok"


def test_every_refusal_is_one_of_our_errors(client):
    for request in ({}, {"requirements": []}, {"requirements": ["a"], "surprise": 1}):
        with pytest.raises(WheelyardError) as raised:
            client.build({**request})
        assert raised.value.exit_code == 2


def test_an_index_without_a_project_offers_nothing_of_it(client):
    assert client.offers("tiny-thing") == ()
    with pytest.raises(NotFound):
        client.offers("tiny-thing", "no-such-channel")


def test_a_published_wheel_is_offered_with_its_digest_and_source(world, client):
    digest, sdist = world.publish("tiny_thing-1.0-py3-none-any.whl")
    (file,) = client.offers("tiny-thing")
    assert (file.filename, file.digest, file.yanked) == ("tiny_thing-1.0-py3-none-any.whl", digest, False)
    assert client.file_digest(file.url) == digest
    (wheel,) = client.wheels("tiny-thing")
    assert wheel.digest == digest
    record = client.record(wheel.build_key)
    assert record is not None
    assert record["inputs"]["sdist"] == str(sdist)
    assert client.record("0" * 64) is None


def test_a_channel_is_made_once_changed_and_taken_away(client):
    made = client.create_channel("team", {"base": "default", "upstream": "listed", "projects": ["numpy"]})
    assert (
        client.create_channel("team", {"base": "default", "upstream": "listed", "projects": ["numpy"]})
        == made
    )
    assert (made["url"], made["kinds"], made["min_age"]) == ("/channels/team/simple/", "both", 0)
    with pytest.raises(Conflict, match="other settings"):
        client.create_channel("team", {})
    changed = client.change_channel("team", {"min_age": 60})
    assert (changed["base"], changed["min_age"]) == ("default", 60)
    assert [channel["name"] for channel in client.channels()] == ["default", "team"]
    client.remove_channel("team")
    with pytest.raises(NotFound) as raised:
        client.channel("team")
    assert "wheelyard channel create team" in raised.value.do


def test_a_channel_can_not_stand_on_itself_nor_on_what_is_not_there(client):
    client.create_channel("team", {"base": "default"})
    with pytest.raises(Conflict, match="can't build on team"):
        client.change_channel("default", {"base": "team"})
    with pytest.raises(NotFound, match="no channel nightly"):
        client.change_channel("team", {"base": "nightly"})


def test_a_channel_with_files_stays(client, world):
    world.publish("tiny_thing-1.0-py3-none-any.whl")
    with pytest.raises(Conflict):
        client.remove_channel("default")


def test_a_file_is_yanked_and_the_yank_taken_back(client, world):
    name = "tiny_thing-1.0-py3-none-any.whl"
    world.publish(name)
    assert client.yank("default", name, "loses rows")["yanked"] == "loses rows"
    assert client.wheels()[0].yanked == "loses rows"
    assert client.unyank("default", name)["yanked"] is None
    assert client.wheels()[0].yanked is None
    with pytest.raises(NotFound):
        client.yank("default", "other-1.0-py3-none-any.whl")


def test_a_name_becomes_the_teams_and_a_project_gets_a_status(client):
    assert client.project("Tiny.Thing") == {
        "name": "tiny-thing", "owned": False, "decided": False, "status": "active", "reason": "",
    }  # fmt: skip
    changed = client.change_project("tiny_thing", {"owned": True})
    assert (changed["owned"], changed["decided"]) == (True, True)
    changed = client.change_project("tiny_thing", {"status": "quarantined", "reason": "malware"})
    assert client.project("tiny-thing") == changed
    assert (changed["owned"], changed["status"], changed["reason"]) == (True, "quarantined", "malware")
    with pytest.raises(InputError):
        client.change_project("tiny-thing", {"status": "dead"})


def test_a_plan_is_asked_for_as_a_build_is_and_is_another_job(client):
    build, plan = client.build(REQUEST), client.plan(REQUEST)
    assert (plan.kind, plan.state) == ("plan", "queued")
    assert plan.id != build.id
    assert client.plan(REQUEST).id == plan.id
    answer = client.plan_of(plan.id)
    assert (answer.job.id, answer.plan, answer.outlook) == (plan.id, None, None)
    with pytest.raises(NotFound, match="no plan yet"):
        client.plan_picture(plan.id)
    with pytest.raises(NotFound):
        client.plan_of("0" * 32)


def test_nobody_knows_why_a_wheel_was_built_that_was_not(client):
    with pytest.raises(NotFound, match=r"no build of tiny-thing 1\.0"):
        client.why("tiny-thing", "1.0")
