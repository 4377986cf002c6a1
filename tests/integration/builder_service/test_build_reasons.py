"""Why a wheel was built, over HTTP, from the records in the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wheelyard.channels import Channel
from wheelyard.digests import canonical_json
from wheelyard.index_file import IndexFile, keep_file


@pytest.fixture
def rebuild(front_door, publish):
    """Publishes a wheel again of other inputs, as the worker does: with the next build number."""

    def again(record, number, *, toolchain=None, **inputs):
        services = front_door.services
        made = replace(
            record, inputs=replace(record.inputs, **inputs), toolchain=toolchain or record.toolchain,
            filename=f"tiny_thing-1.0-{number}-py3-none-any.whl", published_at=record.published_at + number,
        )  # fmt: skip
        services.store.put_document(made.document_name, canonical_json(made.to_document()))
        file = keep_file(services.store, IndexFile.of_record(made, made.channel))
        with services.catalogue.database.transaction() as session:
            services.catalogue.add(session, file)
        return made

    return again


def why(door, wheel="tiny-thing/1.0", **query):
    return door.guest.get(f"/v1/wheels/{wheel}/why", params=query)


CYTHON = {"cython-3.1.0-py3-none-any.whl": "sha256:" + "4" * 64}
NEWER_CYTHON = {"cython-3.2.1-py3-none-any.whl": "sha256:" + "5" * 64}


def test_the_first_build_says_that_it_is_the_first(front_door, publish):
    record = publish(front_door.services)
    found = why(front_door, "Tiny_Thing/1.0").json()
    assert found["text"] == "tiny-thing 1.0 was built because there was no build of tiny-thing before it"
    assert (found["before"], found["changes"]) == (None, [])
    assert found["build"]["build_key"] == record.key
    assert found["build"]["inputs"] == record.inputs.to_document()


def test_a_build_of_the_same_version_is_compared_with_the_one_before(front_door, publish, rebuild):
    first = rebuild(publish(front_door.services), 1, build_wheels=CYTHON)
    second = rebuild(first, 2, build_wheels=NEWER_CYTHON)
    found = why(front_door).json()
    assert (
        found["text"] == "tiny-thing 1.0 was built again because the cython wheel changed from 3.1.0 to 3.2.1"
    )
    assert (found["build"]["build_key"], found["before"]["build_key"]) == (second.key, first.key)
    assert found["changes"] == [
        {
            "field": "build_wheels", "name": "cython", "before": "3.1.0", "after": "3.2.1",
            "text": "the cython wheel changed from 3.1.0 to 3.2.1",
        }
    ]  # fmt: skip


def test_another_version_is_compared_with_the_one_before_it(front_door, publish):
    publish(front_door.services)
    publish(front_door.services, version="1.1", published_at=1_764_000_100.0)
    assert why(front_door, "tiny-thing/1.1").json()["before"]["version"] == "1.0"


def test_it_can_be_compared_with_any_build_of_the_project(front_door, publish, rebuild):
    first = publish(front_door.services)
    rebuild(rebuild(first, 1, build_wheels=CYTHON), 2, build_wheels=NEWER_CYTHON)
    found = why(front_door, against=first.key[:12]).json()
    assert found["before"]["build_key"] == first.key
    assert [change["before"] for change in found["changes"]] == [""]
    answer = why(front_door, against="0" * 64)
    assert (answer.status_code, first.key[:12] in answer.json()["expected"]) == (404, True)
    assert why(front_door, against="not-a-key").status_code == 422


def test_builds_of_one_toolchain_can_be_asked_for(front_door, publish, rebuild):
    first = publish(front_door.services)
    rebuild(first, 1, toolchain="debian13-cp313", python_tag="cp313")
    assert why(front_door).json()["build"]["toolchain"] == "debian13-cp313"
    found = why(front_door, toolchain="debian12-cp311").json()
    assert (found["build"]["build_key"], found["before"]) == (first.key, None)


def test_an_unknown_wheel_says_what_there_is(front_door, publish):
    publish(front_door.services)
    answer = why(front_door, "tiny-thing/2.0", toolchain="debian12-cp311")
    problem = answer.json()
    assert answer.status_code == 404
    assert problem["detail"] == "the channel default has no build of tiny-thing 2.0 for debian12-cp311"
    assert problem["expected"] == "one of 1.0 (debian12-cp311)"
    assert problem["do"] == "build it: `wheelyard build tiny-thing==2.0 --toolchain debian12-cp311`"
    assert why(front_door, "never-seen/1.0").json()["found"] == "no build of never-seen at all"
    assert why(front_door, channel="no-such-channel").status_code == 404


def test_builds_of_a_channel_are_seen_by_those_who_may_use_it(settings_with, redis_url, serve, publish):
    door = serve(settings_with(redis_url=redis_url, public_reads=False))
    door.services.channels.create(Channel(name="team"), "the-test")
    publish(door.services, channel="team")
    made = door.http.post(
        "/v1/tokens", json={"name": "CI", "scopes": ["read"], "channels": ["default"], "expires": "1h"}
    ).json()
    place = "/v1/wheels/tiny-thing/1.0/why"
    headers = {"authorization": f"Bearer {made['secret']}"}
    assert door.http.get(place, params={"channel": "team"}).status_code == 200
    assert door.guest.get(place, params={"channel": "team"}, headers=headers).status_code == 403
    assert door.guest.get(place, headers=headers).status_code == 404
