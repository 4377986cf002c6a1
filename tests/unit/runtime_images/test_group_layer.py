"""A group holds what its members hold, in bytes that only these decide."""

from __future__ import annotations

import tarfile

import pytest

from runtime_images.group_layer import make_group_layer
from runtime_images.stored_layers import unpacked_layer
from runtime_images.tar_layer import TarRules, normalise_tar
from wheelyard.errors import StoreUnavailable


@pytest.fixture
def member(tars, put_layer, scratch):
    def make(name: str, members, modes=None):
        tar = scratch / f"{name}.tar"
        with tar.open("wb") as target:
            normalise_tar(tars.write(members, modes), target, TarRules(origin=name))
        return put_layer(tar, f"{name} 1.0")

    return make


def files(store, layer, scratch):
    with unpacked_layer(store, layer, scratch) as tar, tarfile.open(tar) as archive:
        return {
            entry.name: (entry.mode, archive.extractfile(entry).read() if entry.isfile() else entry.linkname)
            for entry in archive
            if not entry.isdir()
        }


def test_a_group_is_the_union_of_its_members(store, scratch, member):
    ape = member("ape", {"bin/ape": b"run", "lib/ape.py": b"ape", "lib/link": "ape.py"}, {"bin/ape": 0o755})
    bee = member("bee", {"lib/bee.py": b"bee", "lib/shared.py": b"same"})
    cow = member("cow", {"lib/shared.py": b"same"})
    group = make_group_layer(store, [ape, bee, cow], scratch)
    assert group.title == "3 wheels: ape 1.0, bee 1.0, cow 1.0"
    assert files(store, group, scratch) == {
        "bin/ape": (0o755, b"run"),
        "lib/ape.py": (0o644, b"ape"),
        "lib/link": (0o777, "ape.py"),
        "lib/bee.py": (0o644, b"bee"),
        "lib/shared.py": (0o644, b"same"),
    }
    with unpacked_layer(store, group, scratch) as tar, tarfile.open(tar) as archive:
        paths = [entry.name for entry in archive]
    assert len(paths) == len(set(paths))
    assert sorted(paths, key=lambda path: path.split("/")) == paths


def test_a_group_is_made_once_and_whatever_order_its_members_come_in(store, scratch, member):
    ape, bee = member("ape", {"ape.py": b"1"}), member("bee", {"bee.py": b"2"})
    group = make_group_layer(store, [ape, bee], scratch)
    store.delete_blob(ape.digest)
    assert make_group_layer(store, [bee, ape], scratch) == group
    store.delete_blob(group.digest)
    with pytest.raises(StoreUnavailable):
        make_group_layer(store, [ape, bee], scratch)


def test_a_single_wheel_is_its_own_group(store, scratch, member):
    ape = member("ape", {"ape.py": b"1"})
    assert make_group_layer(store, [ape], scratch) is ape
