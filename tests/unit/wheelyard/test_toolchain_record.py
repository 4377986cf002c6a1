"""Records of toolchains, kept once and found again."""

from dataclasses import replace

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import Conflict
from wheelyard.oci import Layer
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import ToolchainRecord, load_record, record_name, save_record

IMAGE = str(Digest.of(b"config"))


def layer(word):
    digest = Digest.of(word.encode())
    return Layer(digest=digest, diff_id=digest, size=1, unpacked=2, title=word)


RECORD = ToolchainRecord(
    name="debian12-cp311",
    image=IMAGE,
    manifest=str(Digest.of(b"manifest")),
    layers=(layer("packages"), layer("tools")),
    base=layer("base"),
    packages={"gcc": "12"},
    base_packages={"libc6": "2.36"},
    policy="manylinux_2_36_x86_64",
    python="3.11",
    python_tag="cp311",
    executable="/usr/bin/python3",
)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def test_comes_back_as_it_was_saved(store):
    save_record(store, RECORD)
    save_record(store, RECORD)
    assert load_record(store, RECORD.name, IMAGE) == RECORD
    assert list(store.list_documents("records/toolchains/")) == [record_name(RECORD.name, IMAGE)]


def test_a_toolchain_that_was_never_made_is_a_miss(store):
    assert load_record(store, RECORD.name, IMAGE) is None


def test_a_newer_base_for_the_same_image_is_found_and_the_older_one_stays(store):
    newer = replace(RECORD, base=layer("newer base"))
    save_record(store, RECORD)
    save_record(store, newer)
    assert load_record(store, RECORD.name, IMAGE) == newer
    save_record(store, RECORD)
    assert load_record(store, RECORD.name, IMAGE) == RECORD
    assert len(list(store.list_documents("records/toolchains/"))) == 3


def test_without_a_base_it_says_that_no_image_can_be_made(store):
    bare = replace(RECORD, base=None)
    save_record(store, bare)
    with pytest.raises(Conflict) as caught:
        _ = load_record(store, RECORD.name, IMAGE).runtime_base
    assert "no runtime base" in caught.value.failed
