"""What recipes add to a bucket (packages, natives), and what a collection takes of it and leaves."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.contract.test_collection import Bucket
from wheelyard.digests import Digest, canonical_json
from wheelyard.index_file import IndexFile
from wheelyard.keeping.file_rules import DAY
from wheelyard.native_record import NativeInputs, NativeRecord
from wheelyard.oci import Layer
from wheelyard.package_lock import (
    IMAGES,
    PackageLock,
    PackagesImage,
    deb_index_name,
    image_name,
    keep_lock,
)
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import ToolchainRecord, save_record

TOOLCHAIN = str(Digest.of(b"toolchain"))


@pytest.fixture
def bucket(tmp_path, database) -> Bucket:
    root = tmp_path / "store"
    return Bucket(FolderStore(root), database, root)


def native(bucket: Bucket, version: str, deb: Digest) -> NativeRecord:
    record = NativeRecord(
        inputs=NativeInputs(
            name="ffmpeg", version=version, sources={"x.tar.xz": str(bucket.blob(f"source {version}"))},
            toolchain=TOOLCHAIN, packages={"nasm": f"2 {deb}"}, environment={}, steps=(("make",),),
            leave_out=(), prefix="/opt/wheelyard/native/ffmpeg",
        ),
        licence="MIT", digest=bucket.blob(f"native {version}"), size=1, files=1, toolchain="debian12-cp311",
        log=str(bucket.blob(f"log of native {version}")), published_at=time.time() - 100 * DAY,
    )  # fmt: skip
    bucket.store.put_document(record.document_name, canonical_json(record.to_document()))
    return record


def with_recipe(bucket: Bucket, **added) -> None:
    """A published wheel whose recipe added something."""
    record = bucket.wheel("2.0")
    record = replace(record, inputs=replace(record.inputs, **added))
    bucket.store.put_document(record.document_name, canonical_json(record.to_document()))
    bucket.show(replace(IndexFile.of_record(record, "default"), filename="demo-2.0-1-py3-none-any.whl"))


def test_natives_and_packages_of_a_kept_wheel_stay_and_others_go(bucket):
    mine, other = bucket.blob("deb of mine"), bucket.blob("deb of another")
    nasm, old_nasm = bucket.blob("nasm"), bucket.blob("old nasm")
    kept, gone = native(bucket, "5.1", nasm), native(bucket, "4.4", old_nasm)
    with_recipe(bucket, natives={"ffmpeg": str(kept.digest)}, packages={"libyaml-dev": f"1 {mine}"})
    bucket.collect()
    stay = (mine, nasm, kept.digest, kept.inputs.sources["x.tar.xz"], kept.log)
    assert [bucket.has(digest) for digest in stay] == [True] * 5
    go = (other, old_nasm, gone.digest, gone.inputs.sources["x.tar.xz"], gone.log)
    assert [bucket.has(digest) for digest in go] == [False] * 5
    assert bucket.store.get_document(kept.document_name) is not None
    assert bucket.store.get_document(gone.document_name) is None


def test_a_native_that_an_image_holds_stays(bucket):
    held, other = native(bucket, "5.1", bucket.blob("nasm")), native(bucket, "4.4", bucket.blob("old nasm"))
    image = {"toolchain_image": TOOLCHAIN, "packages": {"wheelyard-native-ffmpeg": "5.1", "curl": "7"}}
    bucket.store.put_document("records/images/key.json", canonical_json(image))
    bucket.collect()
    assert (bucket.has(held.digest), bucket.has(other.digest)) == (True, False)


@pytest.mark.parametrize("used", [True, False])
def test_locked_packages_and_their_images_stay_as_long_as_their_toolchain(bucket, used):
    image, deb, packed = bucket.blob("toolchain"), bucket.blob("deb"), bucket.blob("layer of packages")
    layer = Layer(digest=packed, diff_id=packed, size=1, unpacked=1, title="packages")
    packages = {"libyaml-dev": f"1 {deb}"}
    lock = PackageLock(toolchain=TOOLCHAIN, suite="bookworm", names=("libyaml-dev",), packages=packages)
    keep_lock(bucket.store, lock)
    made = PackagesImage(
        toolchain=TOOLCHAIN, packages=packages, image=str(bucket.blob("config")),
        manifest=str(bucket.blob("manifest")), layer=layer,
    )  # fmt: skip
    bucket.store.put_document(image_name(TOOLCHAIN, packages), canonical_json(made.to_document()))
    bucket.store.put_document(deb_index_name(deb), b"{}")
    record = ToolchainRecord(
        name="debian12-cp311", image=TOOLCHAIN, manifest=str(bucket.blob("its manifest")), layers=(),
        base=None,
        packages={}, base_packages={}, policy="manylinux_2_36_x86_64", python="3.11", python_tag="cp311",
        executable="/usr/bin/python3",
    )  # fmt: skip
    save_record(bucket.store, record)
    if used:
        bucket.wheel("1.0")
    else:
        with bucket.database.transaction() as session:
            bucket.catalogue.set_toolchain_image(session, "debian12-cp311", str(Digest.of(b"a newer one")))
    bucket.collect()
    parts = (image, deb, packed, made.image, made.manifest)
    assert [bucket.has(digest) for digest in parts] == [used] * 5
    assert bool(list(bucket.store.list_documents("records/packages/"))) is used
    assert bool(list(bucket.store.list_documents(IMAGES))) is used
    assert (bucket.store.get_document(deb_index_name(deb)) is not None) is used
