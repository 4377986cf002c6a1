"""The script that makes a native artifact, with its places in a folder of the test's."""

import importlib
import io
import json
import os
import tarfile
from pathlib import Path
from unittest.mock import patch

import pytest

from worker.inside import build_native


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The script's own folders, below the test's."""
    for name, path in {
        "IN": "in", "SRC": "build/src", "OUT": "build/out", "EPOCH": "build/epoch",
        "PACKED": "build/native.tar", "UNPACKED": "build/unpacked", "MADE": "build/made.json",
    }.items():  # fmt: skip
        monkeypatch.setattr(build_native, name, tmp_path / path)
    # In a container the scripts lie in one folder, from which they are run.
    monkeypatch.syspath_prepend(Path(build_native.__file__).parent)
    cache = importlib.import_module("ccache_folder")
    monkeypatch.setattr(cache, "KEPT", tmp_path / "in/ccache.tar")
    monkeypatch.setattr(cache, "CACHE", tmp_path / "build/ccache")
    (tmp_path / "in/sources").mkdir(parents=True)
    (tmp_path / "build").mkdir()
    # It sets PATH and SOURCE_DATE_EPOCH for good: its process ends with it.
    with patch.dict(os.environ):
        yield tmp_path


def archive(target, files, mtime=1_700_000_000):
    with tarfile.open(target, "w:xz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(text), mtime
            tar.addfile(member, io.BytesIO(text.encode()))


PATCH = "--- a/tally.c\n+++ b/tally.c\n@@ -1 +1 @@\n-int tally = 1;\n+int tally = 2;\n"


def test_debians_patches_are_applied_in_their_order(place):
    archive(place / "in/sources/tally_1.0.orig.tar.xz", {"tally-1.0/tally.c": "int tally = 1;\n"})
    archive(
        place / "in/sources/tally_1.0-1.debian.tar.xz",
        {"debian/patches/series": "# why\nfirst.patch\n\n", "debian/patches/first.patch": PATCH},
        mtime=1_700_000_001,
    )
    build_native.unpack({"sources": ["tally_1.0.orig.tar.xz", "tally_1.0-1.debian.tar.xz"]})
    assert (place / "build/src/tally.c").read_text() == "int tally = 2;\n"
    assert (place / "build/epoch").read_text() == "1700000001"


def test_more_sources_lie_inside_the_first_ones(place):
    archive(place / "in/sources/tally_1.0.orig.tar.xz", {"tally-1.0/tally.c": ""})
    archive(place / "in/sources/count_2.0.orig.tar.xz", {"count-2.0/count.c": ""}, mtime=1_700_000_002)
    build_native.unpack({"sources": ["tally_1.0.orig.tar.xz", "count_2.0.orig.tar.xz"]})
    assert (place / "build/src/tally.c").is_file()
    assert (place / "build/src/count-2.0/count.c").is_file()
    assert (place / "build/epoch").read_text() == "1700000002"


def test_a_patch_that_does_not_apply_ends_it(place, capsys):
    archive(place / "in/sources/tally_1.0.orig.tar.xz", {"tally-1.0/tally.c": "int other;\n"})
    archive(
        place / "in/sources/tally_1.0-1.debian.tar.xz",
        {"debian/patches/series": "first.patch\n", "debian/patches/first.patch": PATCH},
    )
    with pytest.raises(SystemExit):
        build_native.unpack({"sources": ["tally_1.0.orig.tar.xz", "tally_1.0-1.debian.tar.xz"]})
    assert "wheelyard: patch failed" in capsys.readouterr().out


@pytest.mark.parametrize("files", [{"a/x": "", "b/x": ""}, {"x": ""}])
def test_sources_without_one_top_folder_are_refused(place, files, capsys):
    archive(place / "in/sources/tally.tar.xz", files)
    with pytest.raises(SystemExit):
        build_native.unpack({"sources": ["tally.tar.xz"]})
    assert "not one top folder" in capsys.readouterr().out


def test_steps_lay_an_artifact_below_its_prefix(place):
    (place / "build/src").mkdir()
    (place / "build/epoch").write_text("1700000000")
    order = {
        "prefix": "/opt/x",
        "steps": [
            ["mkdir", "-p", "@OUT@@PREFIX@/lib"],
            ["sh", "-c", "echo @PREFIX@ > @OUT@@PREFIX@/lib/where"],
        ],
    }
    build_native.compile_native(order)
    with tarfile.open(place / "build/native.tar") as tar:
        assert tar.getnames() == ["lib", "lib/where"]
        assert tar.extractfile("lib/where").read() == b"/opt/x\n"
    assert json.loads((place / "build/made.json").read_text())["compiler_cache"] in (True, False)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([["sh", "-c", "exit 3"]], "sh failed with status 3"),
        ([["no-such-program"]], "can't be run"),
        ([["true"]], "laid nothing"),
    ],
)
def test_a_step_that_fails_or_lays_nothing_says_so(place, steps, said, capsys):
    (place / "build/src").mkdir()
    (place / "build/epoch").write_text("1700000000")
    with pytest.raises(SystemExit):
        build_native.compile_native({"prefix": "/opt/x", "steps": steps})
    assert said in capsys.readouterr().out
