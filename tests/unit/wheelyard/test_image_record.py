"""Records of images in the store, and images read back from them."""

from __future__ import annotations

import io

import pytest

from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import StoreUnavailable
from wheelyard.image_record import (
    ImageRecord,
    WheelPin,
    blob_opener,
    image_document,
    load_image,
    load_record,
)
from wheelyard.oci import Runtime, compress_layer, make_image
from wheelyard.store.folder import FolderStore

KEY = "ab" * 32


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def image():
    layer = compress_layer(io.BytesIO(b"tar"), io.BytesIO(), "base demo")
    return make_image([layer], Runtime())


@pytest.fixture
def record(image):
    return ImageRecord(
        key=KEY,
        image_id=image.id,
        config_size=len(image.config),
        manifest_digest=image.digest,
        manifest_size=len(image.manifest),
        toolchain="debian12-cp311",
        toolchain_image=str(Digest.of(b"image")),
        layers=image.layers,
        wheels=(
            WheelPin(
                project="six",
                version="1.17.0",
                filename="six-1.17.0-py3-none-any.whl",
                digest=Digest.of(b"six"),
            ),
        ),
        packages={"libgomp1": "12.2.0-14"},
        libraries={"libgomp.so.1": "/usr/lib/libgomp.so.1"},
        left_out=("libGL.so.1",),
        entrypoint=("python3",),
        command=("-V",),
        environment={"A": "1"},
        labels={"b": "2"},
        workdir="/app",
        user="1000:1000",
        size=1,
        unpacked=2,
        absent={"gcc": True, "pip": False},
        tools_found={"pip": ("/usr/bin/pip",)},
        setuid=("/bin/su",),
    )


def test_survives_the_store(store, record):
    store.put_document(image_document(KEY), canonical_json(record.to_document()))
    assert load_record(store, KEY) == record


def test_an_image_that_was_never_made_is_a_miss(store):
    assert load_record(store, KEY) is None


def test_an_image_is_read_back_from_its_record(store, record, image):
    store.put_blob(image.config, image.id)
    store.put_blob(image.manifest, image.digest)
    assert load_image(store, record) == image


def test_a_lost_document_or_layer_is_an_outage(store, record):
    with pytest.raises(StoreUnavailable):
        load_image(store, record)
    with pytest.raises(StoreUnavailable):
        blob_opener(store)(record.layers[0].digest)
