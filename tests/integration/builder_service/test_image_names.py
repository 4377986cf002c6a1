"""Images by their names: listed, tagged by hand and by a request, over HTTP, on a page, by the command."""

from __future__ import annotations

import pytest

from tests.integration.builder_service.conftest import TOKEN
from tests.integration.builder_service.registry_images import make_record
from wheelyard.access_token import Scope
from wheelyard.cli.app import run
from wheelyard.digests import Digest

REQUEST = {"requirements": ["tiny-thing"], "toolchain": "debian12-cp311"}


@pytest.fixture
def command(registry_door, monkeypatch, capsys):
    """Runs a command line against the real service."""
    monkeypatch.setenv("WHEELYARD_URL", registry_door.url)
    monkeypatch.setenv("WHEELYARD_TOKEN", TOKEN)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def secret_with(door, *scopes: Scope) -> dict[str, str]:
    _token, secret = door.services.tokens.create("names", scopes)
    return {"authorization": f"Bearer {secret}"}


def test_images_are_listed_newest_first_with_the_tags_that_stand_for_them(registry_door):
    older = make_record(registry_door.services, b"older of the list", tags=["n/list:1"])
    newer = make_record(registry_door.services, b"newer of the list", tags=["n/list:2", "n/list:latest"])
    first, second = registry_door.guest.get("/v1/registry/images?limit=2").json()["images"]
    assert (first["digest"], first["tags"]) == (str(newer.manifest_digest), ["n/list:2", "n/list:latest"])
    assert (second["key"], second["tags"]) == (older.key, ["n/list:1"])
    assert first["made_at"] >= second["made_at"]


def test_an_image_gets_a_name_by_its_digest_its_id_or_another_name(registry_door):
    record = make_record(registry_door.services, b"to be named")
    for number, image in enumerate((str(record.manifest_digest), record.image_id.hex[:12], "n/named:0")):
        body = {"image": image, "name": f"n/named:{number}"}
        answer = registry_door.http.put("/v1/registry/tags", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["digest"] == str(record.manifest_digest)
        assert registry_door.guest.head(f"/v2/n/named/manifests/{number}").status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [("n/x", 422), ("n/x:", 422), ("N/x:1", 422), ("n/x:.y", 422), ("localhost:5000/x:1", 422),
     ("run/x:1", 403), ("images:1", 403), ("n/x:1@sha256:" + "0" * 64, 422)],
)  # fmt: skip
def test_a_name_that_nobody_can_give_is_refused(registry_door, name, status):
    record = make_record(registry_door.services, b"to be named")
    body = {"image": str(record.manifest_digest), "name": name}
    answer = registry_door.http.put("/v1/registry/tags", json=body)
    assert answer.status_code == status, answer.text


def test_a_name_takes_the_right_to_publish_and_an_image_that_is_there(registry_door):
    record = make_record(registry_door.services, b"to be named")
    body = {"image": str(record.manifest_digest), "name": "n/rights:1"}
    assert registry_door.guest.put("/v1/registry/tags", json=body).status_code == 401
    builder = secret_with(registry_door, Scope.BUILD)
    assert registry_door.guest.put("/v1/registry/tags", json=body, headers=builder).status_code == 403
    absent = {**body, "image": str(Digest.of(b"no such image"))}
    assert registry_door.http.put("/v1/registry/tags", json=absent).status_code == 404


def test_a_request_with_tags_takes_the_right_to_publish_too(registry_door):
    builder = secret_with(registry_door, Scope.BUILD)
    tagged = {**REQUEST, "tags": ["n/asked:1"]}
    assert registry_door.guest.post("/v1/images", json=tagged, headers=builder).status_code == 403
    assert registry_door.guest.post("/v1/images", json=REQUEST, headers=builder).status_code == 202
    both = secret_with(registry_door, Scope.BUILD, Scope.PUBLISH)
    assert registry_door.guest.post("/v1/images", json=tagged, headers=both).status_code == 202
    reserved = {**REQUEST, "tags": ["run/debian12-cp311/numpy:latest"]}
    assert registry_door.guest.post("/v1/images", json=reserved, headers=both).status_code == 403


def test_a_request_that_was_answered_before_moves_its_tags_again(registry_door):
    services, body = (
        registry_door.services,
        {**REQUEST, "tags": ["n/again:latest"], "labels": {"of": "again"}},
    )
    job = registry_door.http.post("/v1/images", json=body).json()["id"]
    record = make_record(services, b"of the first request", tags=["n/again:latest"])
    claim = services.ledger.claim(job, "the-test", 60)
    services.ledger.succeed(claim, {"image": {"manifest_digest": str(record.manifest_digest)}})
    make_record(services, b"somebody else's", tags=["n/again:latest"])
    answer = registry_door.http.post("/v1/images", json=body)
    assert (answer.status_code, answer.json()["cached"]) == (200, True)
    assert services.image_tags.get("n/again", "latest").digest == record.manifest_digest


def test_the_page_shows_images_with_every_foreign_word_escaped(registry_door):
    record = make_record(registry_door.services, b"on the page", tags=["n/page:1"])
    page = registry_door.guest.get("/images")
    assert page.status_code == 200
    assert "n/page:1" in page.text
    assert record.manifest_digest.hex[:12] in page.text
    assert f"podman pull {registry_door.services.settings.effective_public_url[7:]}/" in page.text


def test_the_command_lists_tags_and_tells_their_history(registry_door, command):
    first = make_record(registry_door.services, b"first of the command")
    second = make_record(registry_door.services, b"second of the command")
    for record in (first, second):
        code, out, err = command("image", "tag", record.image_id.hex[:16], "n/command:latest")
        assert code == 0, err
        assert f"n/command:latest is {record.manifest_digest}" in out
        assert "podman pull 127.0.0.1:" in out
    code, out, _err = command("image", "list", "--limit", "5")
    assert code == 0
    assert second.manifest_digest.hex[:12] in out
    assert "n/command:latest" in out
    code, out, _err = command("image", "list", "--history", "n/command:latest")
    assert code == 0
    assert out.index(str(second.manifest_digest)) < out.index(str(first.manifest_digest))
    answer = registry_door.guest.get("/v1/registry/tags", params={"name": "n/command:latest"})
    assert [move["actor"] for move in answer.json()["moves"]] == ["service", "service"]
    code, _out, err = command("image", "tag", "n/command:latest", "not a name")
    assert code == 2
    assert "is not" in err
