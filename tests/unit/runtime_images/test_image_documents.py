"""SBOMs and provenance of an image: valid by the official schemas, the same on another day, findable."""

from __future__ import annotations

import json
from pathlib import Path

import cyclonedx.schema._res as schemas
import jsonschema_rs
import pytest
from packageurl import PackageURL
from spdx_tools.spdx.model.relationship import RelationshipType
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from runtime_images.cyclonedx_bom import make_cyclonedx
from runtime_images.package_urls import package_url
from runtime_images.spdx_document import make_spdx
from tests.unit.wheelyard.test_image_policy import receipt
from wheelyard.image_receipt import Component, ElfFile, Part, PartKind, Reach

OPENCV = Part(
    kind=PartKind.WHEEL,
    name="opencv-python",
    version="4.12.0.88",
    unpacked=5,
    digest="sha256:" + "a" * 64,
    filename="opencv_python-4.12.0.88-cp37-abi3-manylinux_2_28_x86_64.whl",
    licences=("Apache-2.0",),
    licence="Apache-2.0",
    licence_source="License",
    requires=("numpy",),
    components=(Component(name="libpng", version="1.6", purl="pkg:rpm/almalinux/libpng@1.6"),),
)
NUMPY = Part(kind=PartKind.WHEEL, name="numpy", version="2.4.6", licence="BSD-3-Clause AND 0BSD", unpacked=1)
STRANGE = Part(kind=PartKind.WHEEL, name="strange", version="1", licence="Beer OR (MIT AND", unpacked=1)
UNKNOWN = Part(kind=PartKind.WHEEL, name="unknown", version="1", licence="Beer/Wine OR MIT", unpacked=1)
MESA = Part(
    kind=PartKind.PACKAGE,
    name="libgl1",
    version="1:1.6.0-1",
    architecture="amd64",
    source="libglvnd (1.6.0-1)",
    licence="LicenseRef-public-domain AND MIT",
    unpacked=2,
)
FFMPEG = Part(kind=PartKind.NATIVE, name="ffmpeg 7.1", unpacked=3)
APPLICATION = Part(kind=PartKind.APPLICATION, name="application", unpacked=1)
PARTS = (OPENCV, NUMPY, STRANGE, UNKNOWN, MESA, FFMPEG, APPLICATION)
ELVES = (
    ElfFile(
        path="/cv2.so", owner=OPENCV.title, size=1, soname="", needs=(("libGL.so.1", "/libGL.so.1"),),
        reach=Reach.IMPORTED,
    ),
    ElfFile(path="/libGL.so.1", owner=MESA.title, size=1, soname="libGL.so.1", needs=(), reach=Reach.NEEDED),
)  # fmt: skip
RECEIPT = receipt(parts=PARTS, elves=ELVES)


@pytest.fixture(scope="module")
def cyclonedx_schema():
    """CycloneDX's own schema of version 1.6, and those that it refers to."""
    folder = Path(str(schemas.__file__)).parent
    read = {
        f"http://cyclonedx.org/schema/{name}": json.loads((folder / name).read_text("utf-8"))
        for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    }
    schema = json.loads((folder / "bom-1.6.SNAPSHOT.schema.json").read_text("utf-8"))
    return jsonschema_rs.validator_for(schema, registry=jsonschema_rs.Registry(list(read.items())))


def test_cyclonedx_is_valid_by_its_own_schema(cyclonedx_schema):
    document = json.loads(make_cyclonedx(RECEIPT, "clip"))
    assert [str(error) for error in cyclonedx_schema.iter_errors(document)] == []
    assert document["specVersion"] == "1.6"
    assert not cyclonedx_schema.is_valid({**document, "components": [{"name": "x"}]})


def test_cyclonedx_has_what_scanners_look_for():
    document = json.loads(make_cyclonedx(RECEIPT, "clip"))
    components = {one["name"]: one for one in document["components"]}
    assert components["opencv-python"]["purl"] == "pkg:pypi/opencv-python@4.12.0.88"
    assert components["opencv-python"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert components["opencv-python"]["components"][0]["purl"] == "pkg:rpm/almalinux/libpng@1.6"
    assert components["libgl1"]["purl"] == (
        "pkg:deb/debian/libgl1@1:1.6.0-1?arch=amd64&distro=debian-12&upstream=libglvnd%401.6.0-1"
    )
    assert components["debian"]["type"] == "operating-system"
    needs = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert needs["wheel:opencv-python 4.12.0.88"] == ["package:libgl1 1:1.6.0-1", "wheel:numpy 2.4.6"]


@pytest.mark.parametrize("part", [OPENCV, MESA], ids=lambda part: part.name)
def test_package_urls_are_those_of_the_reference_implementation(part):
    url = package_url(part, "debian-12")
    assert PackageURL.from_string(url).to_string() == url
    assert PackageURL.from_string(url).version == part.version


def test_spdx_is_valid_for_the_reference_implementation():
    document = JsonLikeDictParser().parse(json.loads(make_spdx(RECEIPT, "clip")))
    assert validate_full_spdx_document(document) == []
    wheel = next(one for one in document.packages if one.name == "opencv-python")
    assert wheel.external_references[0].locator == "pkg:pypi/opencv-python@4.12.0.88"
    assert wheel.checksums[0].value == "a" * 64
    needs = [one for one in document.relationships if one.relationship_type is RelationshipType.DEPENDS_ON]
    assert len(needs) == 2


def test_what_is_no_licence_of_spdx_becomes_a_reference_or_is_not_declared():
    packages = {one["name"]: one for one in json.loads(make_spdx(RECEIPT, "clip"))["packages"]}
    assert packages["unknown"]["licenseDeclared"] == "LicenseRef-Beer-Wine OR MIT"
    assert packages["strange"]["licenseDeclared"] == "NOASSERTION"
    assert packages["numpy"]["licenseDeclared"] == "BSD-3-Clause AND 0BSD"


@pytest.mark.parametrize("make", [make_cyclonedx, make_spdx])
def test_the_same_image_has_the_same_bytes_and_no_time_of_ours(make):
    first = make(RECEIPT, "clip")
    assert first == make(receipt(parts=PARTS, elves=ELVES), "clip")
    assert b'"timestamp"' not in first
    assert b"202" not in first.replace(b"2024", b"")
