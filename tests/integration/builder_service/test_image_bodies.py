"""What may be asked of an image over HTTP: every field, and what is refused at the door."""

from __future__ import annotations

import pytest

from wheelyard.digests import Digest
from wheelyard.health_check import HealthCheck
from wheelyard.image_request import ImageRequest

DIGEST = "sha256:" + "a" * 64


def post(door, http=None, **body):
    return (http or door.http).post("/v1/images", json={"requirements": ["numpy"], **body})


def asked(door, **body) -> ImageRequest:
    answer = post(door, **body)
    assert answer.status_code == 202, answer.text
    return ImageRequest.from_document(door.services.ledger.get(answer.json()["id"]).spec)


def test_every_field_gets_into_the_job(front_door):
    request = asked(
        front_door,
        packages=["ffmpeg", "curl", "ffmpeg"],
        whole_packages=["tzdata"],
        natives=["ffmpeg"],
        base=f"python:3.12-slim@{DIGEST}",
        ports=["8080", "53/udp"],
        healthcheck={"test": ["python3", "probe.py"], "interval": 5},
        format="docker",
        bytecode=False,
        layer_limit=30,
        size_budget="250 MB",
        optional_libraries=["libGL.so.1"],
        tags=["team/app:1"],
        smoke_test=False,
        check="import numpy",
        user="0:0",
        allow_root=True,
    )
    assert request.packages == ("curl", "ffmpeg")
    assert request.ports == ("53/udp", "8080/tcp")
    assert request.healthcheck == HealthCheck(test=("python3", "probe.py"), interval=5.0)
    assert (request.size_budget, request.layer_limit, request.bytecode) == (250_000_000, 30, False)
    assert (request.format, request.tags, request.smoke_test) == ("docker", ("team/app:1",), False)
    assert (request.user, request.allow_root, request.check) == ("0:0", True, "import numpy")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"user": "0:0"}, "root"),
        ({"labels": {"a": "b\nc"}}, "label"),
        ({"base": "python:3.12-slim"}, "base"),
        ({"layer_limit": 200}, "layer limit"),
        ({"entrypoint": ["../../bin/x"]}, "leads out"),
        ({"tags": ["team/app"]}, "REPOSITORY:TAG"),
        ({"tags": ["run/x:1"]}, "run"),
        ({"ports": ["http"]}, "port"),
        ({"size_budget": "large"}, "size"),
        ({"format": "tar"}, "format"),
        ({"app_wheel": DIGEST, "app_wheel_name": "app-1.0-py3-none-any.whl"}, "was not uploaded"),
        ({"app": DIGEST}, "was not uploaded"),
        ({"requirements": []}, "nothing but its base"),
        ({"packages": ["ffmpeg=1;x"]}, "packages"),
        ({"entrypiont": []}, "entrypiont"),
    ],
)
def test_what_no_image_can_be_is_refused_before_there_is_a_job(front_door, body, words):
    answer = post(front_door, **body)
    assert answer.status_code in (400, 403, 422), answer.text
    assert words in answer.text
    assert front_door.http.get("/v1/jobs").json()["jobs"] == []


def test_an_application_alone_is_enough(front_door):
    body = b"a wheel"
    digest = Digest.of(body)
    front_door.services.store.put_blob(body, digest)
    request = asked(
        front_door, requirements=[], app_wheel=str(digest), app_wheel_name="app-1.0-py3-none-any.whl"
    )
    assert (request.build.requirements, request.app_wheel) == ((), str(digest))


def test_a_tag_takes_the_right_to_publish(front_door):
    made = front_door.http.post("/v1/tokens", json={"name": "ci", "scopes": ["build"]}).json()
    builder = {"authorization": f"Bearer {made['secret']}"}
    body = {"requirements": ["numpy"]}
    plain = front_door.guest.post("/v1/images", json=body, headers=builder)
    tagged = front_door.guest.post("/v1/images", json={**body, "tags": ["team/app:1"]}, headers=builder)
    assert (plain.status_code, tagged.status_code) == (202, 403)
    assert "publish" in tagged.text
