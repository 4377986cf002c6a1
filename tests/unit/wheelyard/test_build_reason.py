"""Which build a build is compared with, and the sentence that says why it was made."""

from dataclasses import replace

from tests.unit.wheelyard.test_build_key import INPUTS
from wheelyard.build_reason import BuildReason, build_before, newest_build
from wheelyard.digests import Digest
from wheelyard.wheel_record import WheelRecord


def record(published_at, *, toolchain="debian12-cp311", **inputs):
    return WheelRecord(
        inputs=replace(INPUTS, **inputs), channel="default", filename="demo-1.0-py3-none-any.whl",
        digest=Digest.of(b"wheel"), size=5, metadata_digest=Digest.of(b"metadata"), requires_python="",
        requires_dist=(), imports=(), external=(), toolchain=toolchain, published_at=published_at,
    )  # fmt: skip


def test_the_newest_build_of_a_version_is_the_one_that_is_asked_about():
    first, last = record(1.0), record(2.0, environment={"A": "2"})
    other = record(3.0, version="1.1")
    assert newest_build([last, other, first], "1.0") is last
    assert newest_build([last, other, first], "1.0.0") is last
    assert newest_build([first], "2.0") is None
    assert newest_build([record(1.0, version="0")], "no-version") is None


def test_the_newest_build_of_one_toolchain_can_be_asked_for():
    here, there = record(1.0), record(2.0, toolchain="debian13-cp313", python_tag="cp313")
    assert newest_build([here, there], "1.0") is there
    assert newest_build([here, there], "1.0", "debian12-cp311") is here
    assert newest_build([here, there], "1.0", "debian11-cp39") is None


def test_the_same_version_goes_before_an_earlier_one():
    asked = record(9.0, version="2.0")
    same = record(1.0, version="2.0", environment={"A": "2"})
    assert build_before(asked, [record(5.0, version="1.9"), same, asked]) is same


def test_without_one_of_its_version_it_is_the_version_before_it():
    asked = record(9.0, version="2.0")
    oldest, nearest, newer = (record(1.0, version=version) for version in ("1.2", "1.10", "2.1"))
    assert build_before(asked, [oldest, nearest, newer]) is nearest


def test_another_toolchain_or_variant_is_compared_with_only_where_nothing_nearer_is_there():
    asked = record(9.0, variant="video")
    elsewhere = record(8.0, variant="video", toolchain="debian13-cp313", python_tag="cp313")
    other_variant = record(7.0)
    near = record(1.0, variant="video", version="0.9")
    assert build_before(asked, [elsewhere, other_variant, near]) is near
    assert build_before(asked, [elsewhere, other_variant]) is other_variant
    assert build_before(asked, [elsewhere]) is elsewhere


def test_what_was_built_later_does_not_count():
    assert build_before(record(1.0), [record(2.0, environment={"A": "2"})]) is None


def test_the_reason_is_a_sentence():
    before = record(1.0, build_wheels={"cython-3.1.0-py3-none-any.whl": "sha256:" + "3" * 64})
    after = record(2.0, build_wheels={"cython-3.2.1-py3-none-any.whl": "sha256:" + "4" * 64})
    later = record(3.0, version="1.1", build_wheels=after.inputs.build_wheels)
    assert BuildReason.of(after, before).text == (
        "demo 1.0 was built again because the cython wheel changed from 3.1.0 to 3.2.1"
    )
    assert BuildReason.of(later, after).text == (
        "demo 1.1 differs from demo 1.0 in this: the version changed from 1.0 to 1.1"
    )
    assert BuildReason.of(before, None).text == (
        "demo 1.0 was built because there was no build of demo before it"
    )
    assert "both keys are the same" in BuildReason.of(before, before).text
