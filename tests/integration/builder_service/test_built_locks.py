"""The lock of a build over HTTP: of what is planned, built, and gone again."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from tests.plans import node, plan
from wheelyard.digests import Digest, canonical_json
from wheelyard.locks import IndexFile, Lock, Pin, parse_lock_text
from wheelyard.plan import Standing

SDIST, WHEEL = Digest.of(b"sdist"), Digest.of(b"wheel")
FILENAME = "numpy-1.0-cp311-cp311-manylinux_2_36_x86_64.whl"
LOCK = Lock(
    pins=(
        Pin(project="numpy", version="1.0", files=(IndexFile(filename="numpy-1.0.tar.gz", digest=SDIST),)),
    ),
    text=f"numpy==1.0 --hash={SDIST}\n",
)


@pytest.fixture
def built(front_door):
    """A build that ended, and its lock; gives the job's id."""
    body = canonical_json(LOCK.to_document())
    front_door.services.store.put_blob(body, Digest.of(body))
    asked = front_door.http.post("/v1/builds", json={"requirements": ["numpy"]})
    assert asked.status_code == 202, asked.text
    ended = plan(node("numpy", Standing.BUILT, digest=str(WHEEL), filename=FILENAME))
    ended = replace(ended, lock=str(Digest.of(body)))
    ledger = front_door.services.ledger
    ledger.succeed(
        ledger.claim(asked.json()["id"], "the-test", 60), {"plan": ended.to_document(), "wheels": []}
    )
    return asked.json()["id"]


def test_a_build_gives_its_lock_as_requirements_and_as_pylock(front_door, built):
    for place in ("builds", "plans"):
        answer = front_door.guest.get(f"/v1/{place}/{built}/lock")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        (line,) = parse_lock_text(answer.text)
        assert (line.project, line.digests) == ("numpy", {SDIST, WHEEL})
        packed = front_door.guest.get(f"/v1/{place}/{built}/lock", params={"format": "pylock"})
        assert [one["name"] for one in tomllib.loads(packed.text)["packages"]] == ["numpy"]


def test_a_lock_names_the_address_that_clients_see(front_door, built):
    text = front_door.guest.get(f"/v1/builds/{built}/lock").text
    assert f"{front_door.services.settings.effective_public_url}/simple/" in text


def test_there_is_no_lock_before_the_requirements_are_resolved(front_door):
    job = front_door.http.post("/v1/builds", json={"requirements": ["tqdm"]}).json()["id"]
    answer = front_door.guest.get(f"/v1/builds/{job}/lock")
    assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")
    assert "has no lock yet" in answer.json()["detail"]


def test_a_lock_that_the_store_lost_is_told(front_door, built):
    front_door.services.store.delete_blob(Digest.of(canonical_json(LOCK.to_document())))
    answer = front_door.guest.get(f"/v1/builds/{built}/lock")
    assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")


def test_another_form_of_a_lock_is_refused(front_door, built):
    assert front_door.guest.get(f"/v1/builds/{built}/lock", params={"format": "yaml"}).status_code == 422
