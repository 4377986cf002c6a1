"""The message about an end and its signature, held to the vector that Standard Webhooks publishes."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from wheelyard.errors import InputError
from wheelyard.jobs.states import Job, Kind, State
from wheelyard.webhooks import message_of, signed_headers, signing_key

# The example of the specification's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def job(**fields):
    known = dict.fromkeys(Job.__slots__, "")
    known |= {
        "id": "019a" * 8, "kind": Kind.BUILD, "state": State.SUCCEEDED, "title": "numpy",
        "spec": {"environment": {"PASSWORD": "hunter2"}}, "result": None, "error": None, "attempts": 0,
        "created_at": 1.0, "started_at": 2.0, "ended_at": 1_764_000_000.25, "children": (),
    }  # fmt: skip
    return Job(**{**known, **fields})


def test_the_signature_is_that_of_the_specification():
    headers = signed_headers(signing_key(SECRET), ID, AT, BODY)
    assert headers == {
        "content-type": "application/json",
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "A" * 100],
)
def test_a_secret_that_is_none_is_refused_without_being_repeated(secret):
    with pytest.raises(InputError, match="the webhook secret can't be used") as caught:
        signing_key(secret)
    assert not secret or secret not in str(caught.value).replace("whsec_ and", "").replace("whsec_$", "")


def test_the_message_names_what_was_made_and_nothing_of_what_was_sent():
    wheel = {"project": "numpy", "version": "2", "filename": "n.whl", "digest": "sha256:0", "seconds": 3}
    body = message_of(job(result={"wheels": [wheel], "lock": "x"}), "https://wheels.example.org")
    document = json.loads(body)
    assert (document["type"], document["timestamp"]) == (
        "build.succeeded",
        "2025-11-24T16:00:00.250+00:00",
    )
    data = document["data"]
    assert data["result"] == {
        "wheels": [{"project": "numpy", "version": "2", "filename": "n.whl", "digest": "sha256:0"}]
    }
    assert data["links"]["self"] == f"https://wheels.example.org/v1/builds/{data['id']}"
    assert b"hunter2" not in body


def test_a_failure_says_why_without_foreign_output():
    error = {"kind": "build-failed", "failed": "it failed", "found": "TOKEN=1", "do": "x", "facts": {"a": 1}}
    body = message_of(job(kind=Kind.IMAGE, state=State.FAILED, error=error), "")
    document = json.loads(body)
    assert document["type"] == "image.failed"
    assert document["data"]["error"] == {"kind": "build-failed", "failed": "it failed", "do": "x"}


def test_every_try_sends_the_same_bytes():
    assert message_of(job(), "http://x") == message_of(job(), "http://x")


def test_the_example_of_the_documentation_takes_what_we_sign_and_nothing_else():
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - our own page, as its readers copy it
    is_from_wheelyard = names["is_from_wheelyard"]
    headers = signed_headers(signing_key(SECRET), ID, int(time.time()), BODY)
    assert is_from_wheelyard(SECRET, headers, BODY)
    two = {**headers, "webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
    assert is_from_wheelyard(SECRET, two, BODY)
    assert not is_from_wheelyard(SECRET, headers, BODY + b" ")
    assert not is_from_wheelyard("whsec_" + "QUFB" * 8, headers, BODY)
    assert not is_from_wheelyard(SECRET, {**headers, "webhook-id": "another"}, BODY)
    old = signed_headers(signing_key(SECRET), ID, int(time.time()) - 3600, BODY)
    assert not is_from_wheelyard(SECRET, old, BODY)
