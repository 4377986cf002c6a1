"""Images as a tool that is not ours reads them: skopeo checks every digest and size on its way."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile

import pytest

from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.oci import Runtime, compress_layer, make_image, write_docker_archive, write_oci_layout

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")


def skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def blobs():
    return {}


@pytest.fixture
def image(blobs):
    layers = []
    for name in ("first", "second"):
        tar, packed = io.BytesIO(), io.BytesIO()
        write_layer_tar(tar, [NewMember(path=f"opt/{name}", kind=tarfile.SYMTYPE, target="nowhere")])
        tar.seek(0)
        layer = compress_layer(tar, packed, name)
        blobs[layer.digest] = packed.getvalue()
        layers.append(layer)
    return make_image(layers, Runtime(entrypoint=("python3",), labels={"a": "b"}))


@pytest.fixture
def opener(blobs):
    return lambda digest: io.BytesIO(blobs[digest])


def test_skopeo_reads_a_layout_under_our_digest(image, opener, tmp_path):
    write_oci_layout(tmp_path / "layout", image, opener, "1.0")
    seen = json.loads(skopeo("inspect", f"oci:{tmp_path / 'layout'}:1.0"))
    assert seen["Digest"] == str(image.digest)
    assert seen["Layers"] == [str(layer.digest) for layer in image.layers]
    assert seen["Labels"] == {"a": "b"}


def test_skopeo_copies_a_layout_with_the_same_digests(image, opener, tmp_path):
    write_oci_layout(tmp_path / "layout", image, opener, "1.0")
    skopeo("copy", "--preserve-digests", f"oci:{tmp_path / 'layout'}:1.0", f"dir:{tmp_path / 'copy'}")
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == image.manifest


def test_skopeo_reads_a_docker_archive_with_the_same_image_id(image, opener, tmp_path):
    archive = tmp_path / "image.tar"
    with archive.open("wb") as target:
        write_docker_archive(target, image, opener, ("demo:1.0",))
    skopeo("copy", f"docker-archive:{archive}:demo:1.0", f"dir:{tmp_path / 'copy'}")
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_bytes())
    assert manifest["config"]["digest"] == str(image.id)
    assert len(manifest["layers"]) == len(image.layers)


def test_one_layout_holds_several_images(image, opener, tmp_path):
    other = make_image(image.layers, Runtime(user="1001"))
    write_oci_layout(tmp_path / "layout", image, opener, "a")
    write_oci_layout(tmp_path / "layout", other, opener, "b")
    for tag, one in (("a", image), ("b", other)):
        assert json.loads(skopeo("inspect", f"oci:{tmp_path / 'layout'}:{tag}"))["Digest"] == str(one.digest)
