"""What is in an image, over HTTP and as a page: receipt, reasons, differences, and who may see them."""

from __future__ import annotations

import gzip
import io
import json
import platform
import tarfile

import pytest

from runtime_images.cyclonedx_bom import MEDIA_TYPE, make_cyclonedx
from runtime_images.receipt import keep_receipt
from tests.integration.builder_service.conftest import FrontDoor
from wheelyard.access_token import Scope
from wheelyard.digests import Digest, canonical_json
from wheelyard.image_publication import publish_image
from wheelyard.image_record import ImageRecord, image_document
from wheelyard.image_referrers import attach
from wheelyard.oci import Layer, Runtime, make_image

SITE = "usr/local/lib/python3.11/dist-packages"
MACHINE = platform.machine()


def layer_of(title: str, files: dict[str, bytes]) -> tuple[Layer, bytes]:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    body = gzip.compress(plain.getvalue(), mtime=0)
    layer = Layer(
        digest=Digest.of(body), diff_id=Digest.of(plain.getvalue()), size=len(body),
        unpacked=len(plain.getvalue()), title=title,
    )  # fmt: skip
    return layer, body


def wheel_files(project: str, version: str, requires: str = "") -> dict[str, bytes]:
    info = f"{SITE}/{project}-{version}.dist-info"
    head = f"Name: {project}\nVersion: {version}\nLicense-Expression: MIT\n"
    head += f"Requires-Dist: {requires}\n" if requires else ""
    return {
        f"{SITE}/{project}/__init__.py": f"# {version}\n".encode() * 50,
        f"{info}/METADATA": head.encode(),
        f"{info}/RECORD": f"{project}/__init__.py,,\n{project}-{version}.dist-info/METADATA,,\n".encode(),
    }


class Shelf:
    """Puts images into a front door's store, as a worker does."""

    def __init__(self, door: FrontDoor, scratch) -> None:
        self.services, self.scratch = door.services, scratch

    def publish(self, layers: dict[str, dict[str, bytes]], *tags: str, **runtime) -> ImageRecord:
        store, made = self.services.store, [layer_of(*item) for item in layers.items()]
        image = make_image([layer for layer, _body in made], Runtime(**runtime))
        for body in (*(body for _layer, body in made), image.config, image.manifest):
            store.put_blob(body, Digest.of(body))
        record = ImageRecord(
            key=Digest.of(image.manifest + b"key").hex, image_id=image.id, config_size=len(image.config),
            manifest_digest=image.digest, manifest_size=len(image.manifest), toolchain="debian12-cp311",
            toolchain_image=str(Digest.of(b"image")), layers=image.layers, wheels=(), workdir="/app",
            user="1000:1000", size=sum(layer.size for layer in image.layers),
            unpacked=sum(layer.unpacked for layer in image.layers),
        )  # fmt: skip
        receipt = keep_receipt(store, record, MACHINE, self.scratch)
        store.put_document(image_document(record.key), canonical_json(record.to_document()))
        attach(store, image.digest, MEDIA_TYPE, MEDIA_TYPE, make_cyclonedx(receipt, "clip"))
        publish_image(self.services.ledger.database, store, record, tags, "tests")
        return record


@pytest.fixture
def shelf(front_door, tmp_path) -> Shelf:
    return Shelf(front_door, tmp_path / "scratch")


@pytest.fixture
def first(shelf) -> ImageRecord:
    layers = {
        "ape 1.0": wheel_files("ape", "1.0", "bee>=1"),
        "bee 1.0": wheel_files("bee", "1.0"),
        "application": {"app/<script>.py": b"print()"},
    }
    record: ImageRecord = shelf.publish(layers, "team/clip:1.0", labels={"tier": "dev"})
    return record


def test_a_receipt_is_found_by_tag_digest_and_image_id(front_door, first):
    names = ["team/clip:1.0", "team%2Fclip:1.0", str(first.manifest_digest), first.image_id.hex]
    answers = [front_door.guest.get(f"/v1/images/{name}/receipt") for name in names]
    assert [answer.status_code for answer in answers] == [200] * 4, answers[0].text
    receipt = answers[0].json()
    assert all(answer.json() == receipt for answer in answers)
    assert receipt["digest"] == str(first.manifest_digest)
    assert {part["name"]: part["kind"] for part in receipt["parts"]} == {
        "ape": "wheel", "bee": "wheel", "application": "application",
    }  # fmt: skip
    assert receipt["licences"] == {"MIT": ["ape 1.0", "bee 1.0"]}
    assert [one["artifactType"] for one in receipt["attached"]] == [MEDIA_TYPE]
    assert all(tool["found"] == [] for tool in receipt["tools"])


def test_says_why_a_project_is_there(front_door, first):
    answer = front_door.guest.get("/v1/images/team/clip:1.0/why", params={"of": "bee"}).json()
    (reason,) = answer["reasons"]
    assert reason["required_by"] == [["ape 1.0", "bee 1.0"]]
    assert reason["layer"] == "bee 1.0"


def test_two_images_are_compared_with_their_settings(front_door, shelf, first):
    layers = {
        "ape 2.0": wheel_files("ape", "2.0"),
        "bee 1.0": wheel_files("bee", "1.0"),
        "application": {"app/<script>.py": b"print()", "app/more.py": b"12345"},
    }
    second = shelf.publish(layers, "team/clip:2.0", labels={"tier": "prod"})
    found = front_door.guest.get(
        "/v1/images/team/clip:2.0/diff", params={"against": str(first.manifest_digest)}
    ).json()
    assert (found["before"], found["after"]) == (str(first.manifest_digest), str(second.manifest_digest))
    assert [(part["what"], part["name"], part["before"], part["after"]) for part in found["parts"]] == [
        ("rebuilt", "application", "", ""),
        ("changed", "ape", "1.0", "2.0"),
    ]
    changed = {file["path"]: (file["what"], file["size"]) for file in found["files"]}
    assert changed["/app/more.py"] == ("added", 5)
    assert changed[f"/{SITE}/ape/__init__.py"] == ("changed", 0)
    assert found["settings"] == {"Label tier": {"before": "dev", "after": "prod"}}
    assert found["shared_layers"] == 1
    assert found["to_pull"] == second.layers[0].size + second.layers[2].size
    same = front_door.guest.get("/v1/images/team/clip:2.0/diff", params={"against": "team/clip:2.0"}).json()
    assert same["equal"]
    assert (same["files"], same["parts"], same["settings"]) == ([], [], {})


def test_documents_are_the_bytes_of_the_referrers(front_door, first):
    answer = front_door.guest.get("/v1/images/team/clip:1.0/documents/cyclonedx")
    assert answer.json()["specVersion"] == "1.6"
    assert front_door.services.store.blob_size(Digest.of(answer.content)) == len(answer.content)
    missing = front_door.guest.get("/v1/images/team/clip:1.0/documents/spdx")
    assert missing.status_code == 404
    assert front_door.guest.get("/v1/images/team/clip:1.0/documents/other").status_code == 422


def test_files_are_listed_with_their_owners(front_door, first):
    answer = front_door.guest.get("/v1/images/team/clip:1.0/files").json()
    owners = {row[0]: answer["owners"][row[1]] for row in answer["files"]}
    assert owners["/app/<script>.py"] == "application"
    assert owners[f"/{SITE}/ape/__init__.py"] == "ape 1.0"


def test_the_page_shows_it_without_scripts_and_escapes_names(front_door, first):
    page = front_door.guest.get("/images/team/clip:1.0")
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert '<a href="#part-1" aria-label="' in page.text
    assert '<tr id="part-1">' in page.text
    assert "documents/cyclonedx" in page.text
    assert "documents/spdx" not in page.text


@pytest.mark.parametrize(
    "address",
    [
        "/v1/images/team/nowhere:1.0/receipt",
        f"/v1/images/sha256:{'0' * 64}/receipt",
        f"/v1/images/{'0' * 32}/receipt",
        "/v1/images/team/clip:1.0/why?of=nothing-is-called-so",
        "/images/team/nowhere:1.0",
    ],
)
def test_what_is_not_there_is_not_found(front_door, first, address):
    assert front_door.guest.get(address).status_code == 404


def test_what_is_no_name_is_refused(front_door, first):
    assert front_door.guest.get("/v1/images/Team:/receipt").status_code == 422


def test_a_token_of_other_channels_does_not_see_a_tag_or_the_beginning_of_a_digest(
    settings_with, redis_url, serve, tmp_path
):
    front_door = serve(settings_with(redis_url=redis_url, public_reads=False))
    layers = {"ape 1.0": wheel_files("ape", "1.0")}
    first = Shelf(front_door, tmp_path / "scratch").publish(layers, "team/clip:1.0")
    tokens = front_door.services.tokens
    _token, secret = tokens.create("others", [Scope.READ], channels=["other"], lifetime=60.0)
    headers = {"authorization": f"Bearer {secret}"}
    for name in ("team/clip:1.0", first.manifest_digest.hex[:20]):
        answer = front_door.guest.get(f"/v1/images/{name}/receipt", headers=headers)
        assert answer.status_code in (403, 404), name
    _token, secret = tokens.create("theirs", [Scope.READ], channels=["team"], lifetime=60.0)
    headers = {"authorization": f"Bearer {secret}"}
    assert front_door.guest.get("/v1/images/team/clip:1.0/receipt", headers=headers).status_code == 200


def test_the_policy_of_the_service_refuses_before_anything_is_built(
    settings_with, redis_url, serve, tmp_path
):
    policy = tmp_path / "policy.toml"
    policy.write_text('users = ["[1-9]*"]\n[required_labels]\nteam = "*"\n')
    door = serve(settings_with(redis_url=redis_url, image_policy=policy))
    body = {"requirements": ["numpy"], "policy": {"required_labels": {}}}
    answer = door.http.post("/v1/images", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["kind"] == "policy-violated"
    assert [(one["rule"], one["whose"]) for one in problem["facts"]["violations"]] == [
        ("required_labels", "service")
    ]
    accepted = door.http.post("/v1/images", json={**body, "labels": {"team": "video"}})
    assert accepted.status_code == 202
    spec = door.services.ledger.get(accepted.json()["id"]).spec
    assert spec["policy"] == {
        "request": {},
        "service": {"required_labels": {"team": "*"}, "users": ["[1-9]*"]},
    }


def test_an_unknown_field_of_a_policy_is_refused(front_door):
    answer = front_door.http.post("/v1/images", json={"requirements": ["numpy"], "policy": {"no_such": 1}})
    assert answer.status_code == 422
    assert "no_such" in json.dumps(answer.json())
