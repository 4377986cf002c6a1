"""A verification: the same inputs in other circumstances, an outcome beside the record, nothing published."""

import json
from dataclasses import replace

import pytest

from tests.distributions import zipped
from tests.unit.worker import test_lost_wheel
from tests.unit.worker.test_lost_wheel import BODY, LostWorld
from wheelyard.digests import Digest, canonical_json
from wheelyard.jobs.states import Kind, State
from wheelyard.limits import Limits
from wheelyard.verification import VERIFIED, Verification
from worker import verification_job
from worker.circumstances import ELSEWHERE
from worker.verification_job import verify_one_wheel


class VerifiedWorld(LostWorld):
    """A world with a published wheel, whose second build is the test's own."""

    def __init__(self, tmp_path, monkeypatch):
        super().__init__(tmp_path, monkeypatch)
        for name in ("ready_toolchain", "lay_inputs", "make_wheel", "check_wheel"):
            monkeypatch.setattr(verification_job, name, getattr(test_lost_wheel.wheel_job, name))
        monkeypatch.setattr(verification_job, "image_with_packages", lambda _work, ready, _names: ready.image)

    def publish(self, body: bytes) -> None:
        """Let other inputs have a wheel of these bytes."""
        inputs = replace(self.record.inputs, environment={"A": "b"})
        self.record = replace(self.record, inputs=inputs, digest=Digest.of(body), size=len(body))
        self.store.put_blob(body, Digest.of(body))
        self.store.put_document(self.record.document_name, canonical_json(self.record.to_document()))

    def verify(self):
        spec = {"build_key": self.record.key, "limits": Limits.of(self.settings).to_document()}
        job, _ = self.ledger.submit(
            Kind.VERIFY, "b" * 64, spec=spec, title="verification of demo 1.0", toolchain="t"
        )
        self.runner(verify_one_wheel, kind=Kind.VERIFY).run(job.id)
        return self.ledger.get(job.id)


@pytest.fixture
def world(tmp_path, monkeypatch):
    return VerifiedWorld(tmp_path, monkeypatch)


def test_the_same_bytes_are_equal_and_the_outcome_lies_beside_the_record(world):
    job = world.verify()
    assert job.state is State.SUCCEEDED, job.error
    outcome = job.result["verification"]
    assert (outcome["equal"], outcome["digest"]) == (True, str(Digest.of(BODY)))
    (name,) = world.store.list_documents(f"{VERIFIED}{world.record.key}/")
    kept = json.loads(world.store.get_document(name))
    assert kept == outcome
    assert Verification.from_document(kept).document_name == name


def test_it_is_built_in_other_circumstances_and_under_its_own_name(world):
    world.verify()
    (order,) = world.orders
    assert order.circumstances == ELSEWHERE
    assert order.inputs == world.record.inputs
    assert order.build_number == 2


def test_another_wheel_is_an_answer_and_nothing_of_it_is_published(world):
    world.makes = zipped_wheel(b"rebuilt")
    published = zipped_wheel(b"published")
    world.publish(published)
    job = world.verify()
    assert job.state is State.SUCCEEDED
    outcome = job.result["verification"]
    assert outcome["equal"] is False
    assert outcome["difference"]["members"][0]["name"] == "demo.bin"
    # For a closer look: it lies there by its digest, and no channel shows it.
    assert outcome["difference"]["digests"][1] == str(Digest.of(world.makes))
    assert world.store.blob_size(Digest.of(world.makes)) == len(world.makes)
    assert world.store.blob_size(Digest.of(published)) == len(published)
    assert world.services.catalogue.files("default") == []


def test_a_second_one_is_kept_beside_the_first(world):
    world.verify()
    world.verify()
    assert len(list(world.store.list_documents(f"{VERIFIED}{world.record.key}/"))) == 2


def test_a_wheel_that_is_gone_can_not_be_compared(world):
    world.store.delete_blob(Digest.of(BODY))
    job = world.verify()
    assert job.state is not State.SUCCEEDED
    assert world.orders == []


def zipped_wheel(content: bytes) -> bytes:
    return zipped({"demo.bin": b"\0" + content}.items())
