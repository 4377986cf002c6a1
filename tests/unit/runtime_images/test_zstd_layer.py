"""zstd layers are made of the same tar, kept, and read again."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from runtime_images.stored_layers import contents_of, unpacked_layer
from runtime_images.zstd_layer import zstd_layer
from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.oci import MEDIA_LAYER_ZSTD, Layer
from wheelyard.store.folder import FolderStore


@pytest.fixture
def gzipped(tars, put_layer) -> Layer:
    return put_layer(tars.write({"a.py": b"x = 1\n" * 1000, "b": "a.py"}), "ape 1.0")


def test_the_tar_is_the_same_and_other_tools_read_it(store, scratch, gzipped):
    layer = zstd_layer(store, gzipped, scratch)
    assert (layer.diff_id, layer.unpacked, layer.title) == (gzipped.diff_id, gzipped.unpacked, gzipped.title)
    assert layer.media_type == MEDIA_LAYER_ZSTD
    with store.open_blob(layer.digest) as stream:
        packed = stream.read()
    assert (Digest.of(packed), len(packed)) == (layer.digest, layer.size)
    plain = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=True).stdout
    assert Digest.of(plain) == layer.diff_id
    with unpacked_layer(store, layer, scratch) as tar:
        assert tar.read_bytes() == plain
    assert contents_of(store, layer, scratch).entries.keys() == {"a.py", "b"}


def test_it_is_the_same_bytes_elsewhere_and_made_once(store, scratch, gzipped, tmp_path):
    layer = zstd_layer(store, gzipped, scratch)
    other = FolderStore(tmp_path / "other")
    with store.open_blob(gzipped.digest) as stream:
        other.put_blob(stream.read(), gzipped.digest)
    assert zstd_layer(other, gzipped, scratch) == layer
    store.delete_blob(gzipped.digest)
    assert zstd_layer(store, replace(gzipped, title="another name"), scratch).title == "another name"
    assert zstd_layer(store, layer, scratch) is layer


@pytest.mark.parametrize("damage", [b"garbage", b""])
def test_a_damaged_one_is_an_outage(store, scratch, gzipped, damage):
    layer = zstd_layer(store, gzipped, scratch)
    with store.open_blob(layer.digest) as stream:
        packed = damage or stream.read()[:-9]
    store.put_blob(packed, Digest.of(packed))
    with (
        pytest.raises(StoreUnavailable),
        unpacked_layer(store, replace(layer, digest=Digest.of(packed)), scratch),
    ):
        pass
