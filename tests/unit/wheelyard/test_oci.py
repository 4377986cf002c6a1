"""Layers, images and their two archives."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import InputError, StoreUnavailable
from wheelyard.health_check import HealthCheck
from wheelyard.oci import (
    HEALTH_LABEL,
    MEDIA_DOCKER_CONFIG,
    MEDIA_DOCKER_LAYER,
    MEDIA_DOCKER_MANIFEST,
    MEDIA_LAYER,
    REF_NAME,
    Layer,
    Runtime,
    compress_layer,
    make_image,
    write_docker_archive,
    write_oci_layout,
)


class Blobs:
    """Layers in memory."""

    def __init__(self, *contents: bytes) -> None:
        self.bytes: dict[Digest, bytes] = {}
        self.opened: list[Digest] = []
        self.layers: list[Layer] = []
        for number, content in enumerate(contents):
            packed = io.BytesIO()
            layer = compress_layer(io.BytesIO(content), packed, f"layer {number}")
            self.bytes[layer.digest] = packed.getvalue()
            self.layers.append(layer)

    def open(self, digest: Digest) -> io.BytesIO:
        self.opened.append(digest)
        return io.BytesIO(self.bytes[digest])


@pytest.fixture
def blobs() -> Blobs:
    return Blobs(b"first" * 1000, b"second" * 1000)


def archive_of(image, blobs, tags=()) -> bytes:
    out = io.BytesIO()
    write_docker_archive(out, image, blobs.open, tags)
    return out.getvalue()


def test_a_layer_says_the_truth_about_both_its_forms(blobs):
    layer = blobs.layers[0]
    packed = blobs.bytes[layer.digest]
    assert layer.digest == Digest.of(packed)
    assert layer.size == len(packed)
    assert layer.diff_id == Digest.of(gzip.decompress(packed))
    assert layer.unpacked == 5000
    assert Layer.from_document(layer.to_document()) == layer


def test_the_same_tar_is_the_same_layer_whatever_the_time(monkeypatch):
    first = Blobs(b"x" * 10)
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert Blobs(b"x" * 10).bytes == first.bytes


def test_an_image_is_a_pure_function_of_its_layers_and_settings(blobs):
    first = make_image(blobs.layers, Runtime(environment={"B": "2", "A": "1"}, labels={"y": "1", "x": "2"}))
    second = make_image(blobs.layers, Runtime(environment={"A": "1", "B": "2"}, labels={"x": "2", "y": "1"}))
    assert first == second
    assert make_image(blobs.layers[::-1], Runtime()).digest != make_image(blobs.layers, Runtime()).digest


def test_the_manifest_names_config_and_layers_with_their_sizes(blobs):
    image = make_image(blobs.layers, Runtime(entrypoint=("python3",)))
    manifest, config = json.loads(image.manifest), json.loads(image.config)
    assert manifest["config"]["digest"] == str(image.id)
    assert manifest["config"]["size"] == len(image.config)
    assert manifest["layers"] == [
        {"mediaType": MEDIA_LAYER, "digest": str(layer.digest), "size": layer.size} for layer in blobs.layers
    ]
    assert config["rootfs"]["diff_ids"] == [str(layer.diff_id) for layer in blobs.layers]
    assert config["architecture"] == "amd64"
    assert config["created"] == "1970-01-01T00:00:00Z"


def test_a_docker_archive_holds_each_layer_once_and_names_it_as_often_as_it_lies(blobs):
    image = make_image([*blobs.layers, blobs.layers[0]], Runtime())
    body = archive_of(image, blobs, ("demo:latest",))
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        names = tar.getnames()
        (entry,) = json.load(tar.extractfile("manifest.json"))
        assert tar.extractfile(entry["Config"]).read() == image.config
        assert tar.extractfile(entry["Layers"][1]).read() == blobs.bytes[blobs.layers[1].digest]
    assert len(names) == len(set(names)) == 4
    assert len(entry["Layers"]) == 3
    assert entry["RepoTags"] == ["demo:latest"]
    assert body == archive_of(image, blobs, ("demo:latest",))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b"x" + b[1:], lambda b: b""]
)
def test_an_archive_or_layout_with_damaged_bytes_is_an_error(blobs, tmp_path, damage):
    image = make_image(blobs.layers, Runtime())
    victim = blobs.layers[1].digest
    blobs.bytes[victim] = damage(blobs.bytes[victim])
    with pytest.raises(StoreUnavailable) as refusal:
        archive_of(image, blobs)
    assert "layer 1" in refusal.value.failed
    with pytest.raises(StoreUnavailable):
        write_oci_layout(tmp_path / "layout", image, blobs.open)
    assert not (tmp_path / "layout" / "index.json").exists()
    assert not list((tmp_path / "layout" / "blobs" / "sha256").glob(".part-*"))
    assert not (tmp_path / "layout" / "blobs" / "sha256" / victim.hex).exists()


def test_a_full_disk_is_not_taken_for_a_damaged_layer(blobs):
    class Full(io.BytesIO):
        def write(self, _chunk):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_docker_archive(Full(), make_image(blobs.layers, Runtime()), blobs.open)


def test_a_layout_holds_every_blob_under_its_digest(blobs, tmp_path):
    folder = tmp_path / "new" / "layout"
    image = make_image(blobs.layers, Runtime())
    write_oci_layout(folder, image, blobs.open, "latest")
    for blob in (folder / "blobs" / "sha256").iterdir():
        assert Digest.of_file(blob).hex == blob.name
        assert blob.stat().st_mode & 0o777 == 0o644
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    assert entry["digest"] == str(image.digest)
    assert entry["annotations"] == {REF_NAME: "latest"}


def test_writing_a_layout_again_copies_no_layer(blobs, tmp_path):
    image = make_image(blobs.layers, Runtime())
    write_oci_layout(tmp_path, image, blobs.open, "latest")
    before = (tmp_path / "index.json").read_bytes()
    blobs.opened.clear()
    write_oci_layout(tmp_path, image, blobs.open, "latest")
    assert blobs.opened == []
    assert (tmp_path / "index.json").read_bytes() == before


def test_a_layout_keeps_its_other_images_and_moves_the_tag(blobs, tmp_path):
    first = make_image(blobs.layers, Runtime())
    second = make_image(blobs.layers, Runtime(user="1001"))
    third = make_image(blobs.layers, Runtime(user="1002"))
    write_oci_layout(tmp_path, first, blobs.open, "one")
    write_oci_layout(tmp_path, second, blobs.open, "two")
    write_oci_layout(tmp_path, third, blobs.open, "one")
    entries = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert {entry["annotations"][REF_NAME]: entry["digest"] for entry in entries} == {
        "two": str(second.digest),
        "one": str(third.digest),
    }


def test_a_folder_with_other_things_is_left_alone(blobs, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError):
        write_oci_layout(tmp_path, make_image(blobs.layers, Runtime()), blobs.open)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


PROBE = HealthCheck(
    test=("python3", "/app/probe.py"), interval=10.0, timeout=2.5, start_period=1.0, retries=4
)
DOCKERS_FIELD = {
    "Test": ["CMD", "python3", "/app/probe.py"],
    "Interval": 10_000_000_000,
    "Timeout": 2_500_000_000,
    "StartPeriod": 1_000_000_000,
    "Retries": 4,
}


def test_a_health_check_is_a_field_in_dockers_format_and_a_label_in_the_other(blobs):
    runtime = Runtime(healthcheck=PROBE, labels={"a": "b"}, ports=("53/udp", "8080/tcp"))
    docker = json.loads(make_image(blobs.layers, runtime, docker=True).config)["config"]
    assert (docker["Healthcheck"], docker["Labels"]) == (DOCKERS_FIELD, {"a": "b"})
    oci = json.loads(make_image(blobs.layers, runtime).config)["config"]
    assert "Healthcheck" not in oci
    assert json.loads(oci["Labels"][HEALTH_LABEL]) == DOCKERS_FIELD
    assert oci["ExposedPorts"] == docker["ExposedPorts"] == {"53/udp": {}, "8080/tcp": {}}


def test_dockers_format_has_dockers_own_media_types(blobs, tmp_path):
    image = make_image(blobs.layers, Runtime(), docker=True)
    manifest = json.loads(image.manifest)
    assert manifest["mediaType"] == image.media_type == MEDIA_DOCKER_MANIFEST
    assert manifest["config"]["mediaType"] == MEDIA_DOCKER_CONFIG
    assert {layer["mediaType"] for layer in manifest["layers"]} == {MEDIA_DOCKER_LAYER}
    write_oci_layout(tmp_path / "layout", image, blobs.open)
    index = json.loads((tmp_path / "layout" / "index.json").read_text())
    assert index["manifests"][0]["mediaType"] == MEDIA_DOCKER_MANIFEST


def test_dockers_format_refuses_a_layer_that_it_has_no_name_for(blobs):
    strange = replace(blobs.layers[0], media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    with pytest.raises(InputError, match="docker's format"):
        make_image([strange], Runtime(), docker=True)
