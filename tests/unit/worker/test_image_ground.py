"""What apt is told of a base: its packages, and not what they depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.runtime_images.debs import tar_of
from wheelyard.oci import Layer, compress_layer
from wheelyard.store.folder import FolderStore
from worker.image_ground import Ground, status_of

SLIM = {
    "var/lib/dpkg/status.d/libc6": (
        b"Package: libc6\nVersion: 2.36\nPre-Depends: a,\n b\nDepends: libgcc-s1\nBreaks: x\n"
    ),
    "var/lib/dpkg/status.d/libc6.md5sums": b"0  usr/lib/libc.so.6\n",
}
FULL = {
    "var/lib/dpkg/status": (
        b"Package: bash\nStatus: install ok installed\nVersion: 5\nDepends: base-files\n\n"
        b"Package: libc6\nStatus: install ok installed\nVersion: 2.37\n\n"
    )
}


@pytest.fixture
def ground(tmp_path):
    store = FolderStore(tmp_path / "store")

    def make(*layers: dict[str, bytes]) -> tuple[FolderStore, Ground]:
        kept = tuple(put(store, tmp_path, members) for members in layers)
        return store, Ground(layers=kept, packages={}, suite="bookworm")

    return make


def put(store: FolderStore, folder: Path, members: dict[str, bytes]) -> Layer:
    tar, packed = folder / "layer.tar", folder / "layer.tar.gz"
    tar.write_bytes(tar_of(members))
    with tar.open("rb") as source, packed.open("wb") as target:
        layer = compress_layer(source, target, "base")
    store.put_blob(packed, layer.digest)
    return layer


def test_packages_of_a_slim_base_are_installed_and_depend_on_nothing(ground, tmp_path):
    store, base = ground(SLIM)
    assert status_of(store, base, tmp_path / "scratch") == (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36\nBreaks: x\n\n"
    )


def test_the_upper_layer_of_a_registry_s_base_has_the_last_word(ground, tmp_path):
    store, base = ground(SLIM, FULL)
    status = status_of(store, base, tmp_path / "scratch")
    assert "Package: bash\nStatus: install ok installed\nVersion: 5\n\n" in status
    assert "Version: 2.37" in status
    assert "Version: 2.36" not in status
