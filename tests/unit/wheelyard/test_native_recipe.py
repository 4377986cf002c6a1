"""Recipes of natives: the shipped ones are whole, and a wrong one says where."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import InputError, NotFound
from wheelyard.native_recipe import SourceFile, get_native_recipe, prefix_of
from wheelyard.native_record import NativeInputs, NativeRecord, find_native, whole_native
from wheelyard.recipe_layers import shipped_folder
from wheelyard.store.folder import FolderStore

SHIPPED = sorted(place.stem for place in (shipped_folder() / "natives").glob("*.toml"))
HEX = "ab" * 32
TEXT = f"""\
description = "A library."
licence = "MIT"
steps = [["make"]]
smoke = [["@PREFIX@/bin/tally"]]
[sources.bookworm]
version = "1.0"
files = [{{ path = "pool/main/t/tally/tally_1.0.orig.tar.gz", digest = "sha256:{HEX}" }}]
"""


def natives(folder: Path, text: str) -> Path:
    place = folder / "natives" / "tally.toml"
    place.parent.mkdir()
    place.write_text(text)
    return folder


def inputs() -> NativeInputs:
    return NativeInputs(
        name="tally", version="1.0",
        sources={"b.tar.gz": f"sha256:{HEX}", "a.debian.tar.xz": f"sha256:{HEX}"},
        toolchain=f"sha256:{HEX}", packages={"nasm": f"2.16 sha256:{HEX}"}, environment={"A": "1"},
        steps=(("make",), ("make", "install")), leave_out=("share/*",), prefix=prefix_of("tally"),
    )  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_one_is_read_and_installs_below_its_prefix(name):
    recipe = get_native_recipe(name)
    assert recipe.sources
    assert any("@OUT@" in word for step in recipe.steps for word in step)
    assert any("@PREFIX@" in word for step in recipe.smoke for word in step)


def test_ffmpeg_is_lean_and_under_the_lgpl():
    (configure, *_) = get_native_recipe("ffmpeg").steps
    assert {"--disable-gpl", "--disable-nonfree", "--disable-autodetect", "--enable-shared"} <= set(configure)
    assert not any("x264" in word or "x265" in word for word in configure)


def test_a_release_without_sources_is_refused_with_those_that_there_are(tmp_path):
    recipe = get_native_recipe("tally", natives(tmp_path, TEXT))
    assert recipe.source_for("bookworm").files[0].filename == "tally_1.0.orig.tar.gz"
    with pytest.raises(InputError, match="no sources for Debian trixie") as error:
        recipe.source_for("trixie")
    assert "bookworm" in error.value.expected


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (('licence = "MIT"\n', ""), "licence"),
        (('steps = [["make"]]', "steps = [[]]"), "steps"),
        (('steps = [["make"]]', "step = []"), "step"),
        ((HEX, "ab"), "digest"),
        (('[["make"]]', '[["make"'), "TOML"),
        (('licence = "MIT"\n', 'licence = "MIT"\nname = "other"\n'), "`name`"),
    ],
)  # fmt: skip
def test_a_wrong_one_says_where(tmp_path, change, where):
    with pytest.raises(InputError, match=where):
        get_native_recipe("tally", natives(tmp_path, TEXT.replace(*change)))


def test_an_unknown_one_is_refused_with_those_that_there_are():
    with pytest.raises(NotFound) as error:
        get_native_recipe("no-such-library")
    assert "ffmpeg" in error.value.expected


def test_a_source_may_have_an_address_of_its_own():
    file = SourceFile(path="file:///srv/tally-1.0.tar.gz", digest=f"sha256:{HEX}")
    assert file.filename == "tally-1.0.tar.gz"


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.1"},
        {"sources": {"a.debian.tar.xz": f"sha256:{HEX}", "b.tar.gz": f"sha256:{HEX}"}},
        {"toolchain": "sha256:" + "cd" * 32},
        {"packages": {"nasm": f"2.17 sha256:{HEX}"}},
        {"environment": {}},
        {"steps": (("make", "install"), ("make",))},
        {"leave_out": ()},
        {"prefix": "/opt/other"},
        {"native_format": 2},
    ],
)
def test_every_input_makes_another_key(change):
    assert replace(inputs(), **change).key != inputs().key


def test_inputs_and_records_come_back_from_their_documents(tmp_path):
    store = FolderStore(tmp_path)
    record = NativeRecord(
        inputs=inputs(), licence="MIT", digest=Digest.of(b"tar"), size=3, files=1, toolchain="t",
        seconds={"compile": 1.5}, published_at=2.0,
    )  # fmt: skip
    assert NativeInputs.from_document(inputs().to_document()) == inputs()
    assert NativeRecord.from_document(record.to_document()) == record
    assert find_native(store, record.key) is None
    store.put_document(record.document_name, json.dumps(record.to_document()).encode())
    assert find_native(store, record.key) == record
    assert whole_native(store, record.key) is None, "its bytes are not there"
    store.put_blob(b"tar", record.digest)
    assert whole_native(store, record.key) == record
