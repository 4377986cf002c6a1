"""Wheels of other toolchains: noted where their sources allow it, found at a miss, built again where not."""

from dataclasses import replace

import pytest

from tests.distributions import metadata_of, sdist
from tests.unit.worker.test_runner import World
from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest, canonical_json
from wheelyard.toolchains import get_toolchain
from wheelyard.wheel_record import WheelRecord
from worker.fitting_wheel import fitting_record, note_fitting

TWELVE, THIRTEEN = get_toolchain("debian12-cp311"), get_toolchain("debian13-cp313")
DECLARED = metadata_of("demo", "1.0").replace(b"2.1", b"2.2")


class Shelf(World):
    """A store, and a way to put wheels of some toolchain into it."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path)
        self.store = self.services.store
        self.sdist = tmp_path / "demo-1.0.tar.gz"
        self.sdist.write_bytes(sdist(metadata=DECLARED))

    def inputs(self, toolchain, **changes) -> BuildInputs:
        fields = {
            "project": "demo", "version": "1.0", "sdist": str(Digest.of(b"sdist")),
            "sdist_filename": "demo-1.0.tar.gz", "toolchain": str(Digest.of(toolchain.name.encode())),
            "target": toolchain.policy, "python_tag": toolchain.python.tag, "build_wheels": {},
            "environment": {}, "config_settings": {},
        }  # fmt: skip
        return BuildInputs(**(fields | changes))

    def publish(self, toolchain, at=1.0, filename="demo-1.0-py3-none-any.whl", **changes) -> WheelRecord:
        body = f"{toolchain.name} {at}".encode()
        record = WheelRecord(
            inputs=self.inputs(toolchain, **changes), channel="default", filename=filename,
            digest=Digest.of(body), size=len(body), metadata_digest=Digest.of(DECLARED), requires_python="",
            requires_dist=(), imports=(), external=(), toolchain=toolchain.name, published_at=at,
        )  # fmt: skip
        for content in (body, DECLARED):
            self.store.put_blob(content, Digest.of(content))
        self.store.put_document(record.document_name, canonical_json(record.to_document()))
        note_fitting(self.store, record, self.sdist)
        return record

    def found(self, toolchain, **changes):
        return fitting_record(self.services, self.inputs(toolchain, **changes), toolchain)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def test_a_pure_wheel_of_another_toolchain_is_found(shelf):
    assert shelf.found(THIRTEEN) is None
    record = shelf.publish(TWELVE)
    assert shelf.found(THIRTEEN) == record


def test_of_several_the_newest_is_taken(shelf):
    shelf.publish(TWELVE, at=1.0)
    newer = shelf.publish(TWELVE, at=2.0, build_wheels={"a-1-py3-none-any.whl": str(Digest.of(b"a"))})
    assert shelf.found(THIRTEEN) == newer


def test_a_toolchain_that_built_one_itself_builds_the_next_one_itself(shelf):
    """A changed build requirement is a changed input; another toolchain's older wheel is no answer to it."""
    shelf.publish(TWELVE)
    shelf.publish(THIRTEEN)
    assert shelf.found(TWELVE, build_wheels={"a-1-py3-none-any.whl": str(Digest.of(b"a"))}) is None


def test_one_whose_bytes_are_gone_is_no_answer(shelf):
    record = shelf.publish(TWELVE)
    shelf.store.delete_blob(record.digest)
    assert shelf.found(THIRTEEN) is None


def test_one_of_a_newer_libc_is_built_again_for_an_older_one(shelf):
    shelf.publish(THIRTEEN, filename="demo-1.0-cp38-abi3-manylinux_2_41_x86_64.whl")
    assert shelf.found(TWELVE) is None


def test_one_of_an_older_libc_and_of_the_stable_abi_is_found(shelf):
    record = shelf.publish(TWELVE, filename="demo-1.0-cp38-abi3-manylinux_2_36_x86_64.whl")
    assert shelf.found(THIRTEEN) == record


@pytest.mark.parametrize(
    "metadata",
    [
        metadata_of("demo", "1.0"),
        DECLARED.replace(b"Name:", b"Dynamic: Requires-Dist\nName:"),
    ],
)
def test_sources_that_let_the_building_python_decide_are_built_for_each(shelf, metadata):
    shelf.sdist.write_bytes(sdist(metadata=metadata))
    shelf.publish(TWELVE)
    assert shelf.found(THIRTEEN) is None


def test_an_sdist_without_metadata_is_built_for_each(shelf):
    shelf.sdist.write_bytes(b"no archive at all")
    shelf.publish(TWELVE)
    assert shelf.found(THIRTEEN) is None


def test_a_second_attempts_note_is_no_error(shelf):
    record = shelf.publish(TWELVE)
    assert note_fitting(shelf.store, replace(record, published_at=9.0), shelf.sdist)
    assert shelf.found(THIRTEEN) == record
