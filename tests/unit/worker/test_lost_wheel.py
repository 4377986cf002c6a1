"""A wheel whose bytes are lost: made again of its record's inputs, and only the very same is taken."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.unit.worker.test_runner import World
from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest, canonical_json
from wheelyard.index_file import IndexFile, keep_file
from wheelyard.jobs.states import Kind, State
from wheelyard.limits import Limits
from wheelyard.removed_files import note_removed
from wheelyard.toolchains import get_toolchain
from wheelyard.wheel_record import WheelRecord
from worker import wheel_job
from worker.build_container import WheelOrder
from worker.wheel_job import make_one_wheel, next_build_number
from worker.wheel_records import whole_record

BODY, METADATA = b"the wheel", b"its metadata"
NAME = "demo-1.0-2-cp311-cp311-manylinux_2_36_x86_64.whl"
TOOLCHAIN = get_toolchain("debian12-cp311")


class LostWorld(World):
    """A world whose store has a wheel's record, and whose containers are the test's own."""

    def __init__(self, tmp_path, monkeypatch):
        super().__init__(tmp_path)
        self.store = self.services.store
        self.sdist = b"the sdist"
        self.store.put_blob(self.sdist, Digest.of(self.sdist))
        self.makes = BODY
        self.orders: list[WheelOrder] = []
        self.record = self.keep()
        monkeypatch.setattr(
            wheel_job,
            "ready_toolchain",
            lambda *_: SimpleNamespace(toolchain=TOOLCHAIN, image="i", record=None),
        )
        monkeypatch.setattr(wheel_job, "lay_inputs", lambda _work, order, _folder: self.orders.append(order))
        monkeypatch.setattr(wheel_job, "make_wheel", self.make)
        monkeypatch.setattr(wheel_job, "check_wheel", lambda path, **_: self.checked(path))
        monkeypatch.setattr(wheel_job, "test_wheel", lambda *_: ("demo",))
        monkeypatch.setattr(wheel_job, "external_libraries", lambda _path: ())

    def keep(self) -> WheelRecord:
        record = WheelRecord(
            inputs=BuildInputs(
                project="demo", version="1.0", sdist=str(Digest.of(self.sdist)),
                sdist_filename="demo-1.0.tar.gz",
                toolchain=str(Digest.of(b"image")), target="manylinux_2_36_x86_64", python_tag="cp311",
                build_wheels={}, environment={}, config_settings={},
            ),
            channel="default", filename=NAME, digest=Digest.of(BODY), size=len(BODY),
            metadata_digest=Digest.of(METADATA), requires_python="", requires_dist=(), imports=("demo",),
            external=(), toolchain="t", published_at=1.0,
        )  # fmt: skip
        for body in (BODY, METADATA):
            self.store.put_blob(body, Digest.of(body))
        self.store.put_document(record.document_name, canonical_json(record.to_document()))
        return record

    def make(self, work, order, _folder, _allotment):
        path = work.scratch / f"demo-1.0-{order.build_number}-cp311-cp311-manylinux_2_36_x86_64.whl"
        path.write_bytes(self.makes)
        return path

    def checked(self, path):
        return SimpleNamespace(path=path, metadata=METADATA, requires_python="", requires_dist=())

    def build(self, **more):
        spec = {
            "inputs": self.record.inputs.to_document(), "image": "i", "runtime": [],
            "limits": Limits.of(self.settings).to_document(), **more,
        }  # fmt: skip
        job, _ = self.ledger.submit(
            Kind.WHEEL, self.record.key, spec=spec, title="demo 1.0", toolchain="t", channel="default"
        )
        self.runner(make_one_wheel).run(job.id)
        return self.ledger.get(job.id)


@pytest.fixture
def world(tmp_path, monkeypatch):
    return LostWorld(tmp_path, monkeypatch)


@pytest.mark.parametrize("lost", [(BODY,), (METADATA,), (BODY, METADATA)])
def test_it_is_made_again_with_its_own_build_number_and_its_record_stays(world, lost):
    for body in lost:
        world.store.delete_blob(Digest.of(body))
    assert whole_record(world.services, world.record.key) is None
    job = world.build(show=False)
    assert job.state is State.SUCCEEDED, job.error
    assert [order.build_number for order in world.orders] == [2]
    assert whole_record(world.services, world.record.key) == world.record
    assert world.services.catalogue.files("default") == []


def test_another_wheel_is_refused_with_both_digests_and_nothing_is_stored(world):
    world.store.delete_blob(Digest.of(BODY))
    world.makes = b"not the same"
    job = world.build()
    assert job.state is State.FAILED
    assert "the same inputs do not give the same bytes" in job.error["failed"]
    assert str(Digest.of(BODY)) in job.error["expected"]
    assert str(Digest.of(b"not the same")) in job.error["found"]
    assert "stays bound" in job.error["do"]
    assert world.store.blob_size(Digest.of(b"not the same")) is None
    assert world.services.catalogue.files("default") == []


def test_one_that_is_there_is_a_hit_and_no_container_starts(world):
    assert world.build().state is State.SUCCEEDED
    assert world.orders == []
    assert [file.filename for file in world.services.catalogue.files("default")] == [NAME]


def test_a_lost_build_that_is_asked_for_is_shown(world):
    world.store.delete_blob(Digest.of(BODY))
    assert world.build().state is State.SUCCEEDED
    assert [file.digest for file in world.services.catalogue.files("default")] == [Digest.of(BODY)]


def test_a_name_that_went_from_its_channel_is_not_taken_by_other_bytes(world):
    file = keep_file(world.store, IndexFile.of_record(world.record, "default"))
    note_removed(world.store, file.channel, file.project, file.filename)
    inputs = BuildInputs.from_document({**world.record.inputs.to_document(), "variant": "another"})
    assert next_build_number(world.services, "default", inputs, TOOLCHAIN) == 3
