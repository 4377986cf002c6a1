"""What lies below an image's wheels: parts that would take each other's place are refused."""

from __future__ import annotations

import pytest

from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import Entry, LayerContents
from runtime_images.system_layer import SystemLayer
from wheelyard.errors import InputError
from wheelyard.settings import Settings
from worker.image_base import refuse_second_library
from worker.registry_image import base_reference

LIB = "usr/lib/x86_64-linux-gnu"
DIGEST = "a" * 64


def tree_of(owner: str, **digests: str) -> FileTree:
    """Regular files at paths, by their digests."""
    tree = FileTree()
    entries = {
        path: Entry(kind="file", mode=0o644, size=1, digest=digest) for path, digest in digests.items()
    }
    tree.lay(LayerContents(entries=entries), owner)
    return tree


def refuse(theirs: str, ours: str) -> None:
    made = SystemLayer(libraries={"libavcodec.so.59": "usr/local/lib/libavcodec.so.59"})
    own = tree_of("native ffmpeg", **{"usr/local/lib/libavcodec.so.59": ours})
    below = tree_of("packages ffmpeg", **{f"{LIB}/libavcodec.so.59": theirs})
    refuse_second_library("ffmpeg", made, own, below, "x86_64")


def test_a_native_and_a_package_with_one_library_in_two_builds_are_refused():
    with pytest.raises(InputError) as failure:
        refuse("1" * 64, "2" * 64)
    assert "the native ffmpeg and packages ffmpeg both bring libavcodec.so.59" in failure.value.failed


def test_the_same_library_twice_is_no_clash():
    refuse("1" * 64, "1" * 64)


@pytest.mark.parametrize(
    ("base", "reference"),
    [
        (f"python@sha256:{DIGEST}", f"hub.example:5000/python@sha256:{DIGEST}"),
        (f"python:3.12-slim@sha256:{DIGEST}", f"hub.example:5000/python@sha256:{DIGEST}"),
        (f"team/python:3.12@sha256:{DIGEST}", f"hub.example:5000/team/python@sha256:{DIGEST}"),
        (f"hub.example:5000/team/python@sha256:{DIGEST}", f"hub.example:5000/team/python@sha256:{DIGEST}"),
    ],
)
def test_a_base_is_pulled_from_the_registry_of_the_settings(base, reference):
    assert base_reference(base, Settings(image_registry="https://hub.example:5000/")) == reference


@pytest.mark.parametrize("base", [f"evil.example/python@sha256:{DIGEST}", f"localhost/x@sha256:{DIGEST}"])
def test_a_base_of_another_registry_is_refused(base):
    with pytest.raises(InputError, match="another registry"):
        base_reference(base, Settings(image_registry="hub.example"))


def test_a_base_without_any_registry_set_says_which_variable_is_missing():
    with pytest.raises(InputError) as failure:
        base_reference(f"python@sha256:{DIGEST}", Settings(image_registry=""))
    assert "WHEELYARD_IMAGE_REGISTRY" in failure.value.expected
