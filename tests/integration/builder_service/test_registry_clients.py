"""The registry as real clients use it: skopeo and podman, with a token and without, open and closed."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import pytest

from tests.integration.builder_service.conftest import TOKEN
from tests.integration.builder_service.registry_images import make_layer, make_record
from wheelyard.access_token import Scope
from wheelyard.digests import Digest
from wheelyard.image_referrers import attach

CREDENTIALS = f"__token__:{TOKEN}"

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def skopeo(*arguments: str) -> str:
    """Run skopeo, which must succeed."""
    done = run("skopeo", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def address(door, name: str) -> str:
    return f"docker://{door.url.removeprefix('http://')}/{name}"


@pytest.fixture
def podman() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """podman with a storage of this test's own."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    # podman refuses a path of more than 50 characters, as those of pytest are.
    with tempfile.TemporaryDirectory(prefix="wy-") as folder:
        own = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs")
        yield lambda *arguments: run("podman", *own, *arguments)


@pytest.fixture
def closed_door(settings_with, redis_url, serve):
    """A service that asks for a token before anybody reads."""
    return serve(settings_with(redis_url=redis_url, public_reads=False))


def token_with(door, scope: Scope, *channels: str) -> str:
    _token, secret = door.services.tokens.create("clients", [scope], channels)
    return secret


def test_skopeo_looks_at_an_image_and_lists_its_tags_without_a_token(registry_door):
    record = make_record(registry_door.services, b"for skopeo", tags=["c/look:1", "c/look:2"])
    found = json.loads(skopeo("inspect", "--tls-verify=false", address(registry_door, "c/look:1")))
    assert found["Digest"] == str(record.manifest_digest)
    assert found["Layers"] == [str(record.layers[0].digest)]
    listed = json.loads(skopeo("list-tags", "--tls-verify=false", address(registry_door, "c/look")))
    assert listed["Tags"] == ["1", "2"]


def test_skopeo_copies_an_image_out_and_into_another_repository_unchanged(registry_door, tmp_path):
    record = make_record(registry_door.services, b"to be copied", tags=["c/from:1"])
    layout = f"oci:{tmp_path / 'layout'}:1"
    skopeo("copy", "--src-tls-verify=false", address(registry_door, "c/from:1"), layout)
    blob = tmp_path / "layout" / "blobs" / "sha256" / record.layers[0].digest.hex
    assert blob.read_bytes() == make_layer("greeting", b"to be copied")[1]
    skopeo("copy", "--dest-tls-verify=false", "--dest-creds", CREDENTIALS, layout,
           address(registry_door, "c/to:1"))  # fmt: skip
    answer = registry_door.guest.get("/v2/c/to/manifests/1")
    assert answer.headers["docker-content-digest"] == str(record.manifest_digest)


def test_skopeo_mounts_what_the_registry_has_in_another_repository(registry_door):
    record = make_record(registry_door.services, b"to be mounted", tags=["c/one:1"])
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", CREDENTIALS,
           address(registry_door, "c/one:1"), address(registry_door, "c/two:1"))  # fmt: skip
    answer = registry_door.guest.get("/v2/c/two/manifests/1")
    assert answer.headers["docker-content-digest"] == str(record.manifest_digest)


def test_skopeo_deletes_an_image(registry_door):
    make_record(registry_door.services, b"to be deleted by skopeo", tags=["c/gone:1"])
    skopeo("delete", "--tls-verify=false", "--creds", CREDENTIALS, address(registry_door, "c/gone:1"))
    assert registry_door.guest.head("/v2/c/gone/manifests/1").status_code == 404


def test_a_push_without_a_token_or_with_a_wrong_one_is_refused(registry_door, tmp_path):
    make_record(registry_door.services, b"not to be pushed", tags=["c/kept:1"])
    layout = f"oci:{tmp_path / 'layout'}:1"
    skopeo("copy", "--src-tls-verify=false", address(registry_door, "c/kept:1"), layout)
    reader = token_with(registry_door, Scope.READ)
    for credentials in ((), ("--dest-creds", "__token__:wrong"), ("--dest-creds", f"__token__:{reader}")):
        done = run("skopeo", "copy", "--dest-tls-verify=false", *credentials, layout,
                   address(registry_door, "c/refused:1"))  # fmt: skip
        assert done.returncode != 0
        assert "unauthorized" in done.stderr.lower() or "denied" in done.stderr.lower(), done.stderr
    assert registry_door.guest.head("/v2/c/refused/manifests/1").status_code == 404


def test_podman_pulls_and_pushes_in_an_open_registry(registry_door, podman):
    record = make_record(registry_door.services, b"for podman", tags=["c/podman:1"])
    host = registry_door.url.removeprefix("http://")
    done = podman("pull", "--tls-verify=false", f"{host}/c/podman:1")
    assert done.returncode == 0, done.stderr
    assert record.image_id.hex in done.stdout
    done = podman(
        "push", "--tls-verify=false", "--creds", CREDENTIALS, f"{host}/c/podman:1", f"{host}/c/pushed:2"
    )
    assert done.returncode == 0, done.stderr
    config = registry_door.guest.get("/v2/c/pushed/manifests/2").json()["config"]
    assert config["digest"] == str(record.image_id)


def test_podman_needs_a_token_in_a_closed_registry_and_logs_in_with_one(closed_door, podman, tmp_path):
    make_record(closed_door.services, b"closed", tags=["c/closed:1"])
    host = closed_door.url.removeprefix("http://")
    refused = podman("pull", "--tls-verify=false", f"{host}/c/closed:1")
    assert refused.returncode != 0
    assert "unauthorized" in refused.stderr.lower() or "token" in refused.stderr, refused.stderr
    file = ("--authfile", str(tmp_path / "auth.json"))
    wrong = podman("login", "--tls-verify=false", *file, "-u", "__token__", "-p", "wrong", host)
    assert wrong.returncode != 0
    reader = token_with(closed_door, Scope.READ)
    done = podman("login", "--tls-verify=false", *file, "-u", "__token__", "-p", reader, host)
    assert done.returncode == 0, done.stderr
    done = podman("pull", "--tls-verify=false", *file, f"{host}/c/closed:1")
    assert done.returncode == 0, done.stderr


def test_a_wrong_token_can_not_log_in_to_an_open_registry_either(registry_door, podman, tmp_path):
    host = registry_door.url.removeprefix("http://")
    file = ("--authfile", str(tmp_path / "auth.json"))
    wrong = podman("login", "--tls-verify=false", *file, "-u", "__token__", "-p", "wrong", host)
    assert wrong.returncode != 0
    done = podman("login", "--tls-verify=false", *file, "-u", "__token__", "-p", TOKEN, host)
    assert done.returncode == 0, done.stderr


def test_a_token_for_a_channel_sees_the_repositories_below_its_name_only(closed_door):
    make_record(closed_door.services, b"one", tags=["one/app:1"])
    other = make_record(closed_door.services, b"two", tags=["two/app:1"])
    one = token_with(closed_door, Scope.READ, "one")
    headers = {"authorization": f"Bearer {one}"}
    assert closed_door.guest.get("/v2/one/app/manifests/1", headers=headers).status_code == 200
    for place in (
        "two/app/manifests/1",
        f"two/app/blobs/{other.image_id}",
        f"images/manifests/{other.manifest_digest}",
        "two/app/tags/list",
        f"two/app/referrers/{other.manifest_digest}",
    ):
        answer = closed_door.guest.get(f"/v2/{place}", headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED"), place
    assert closed_door.guest.get("/v2/_catalog", headers=headers).json() == {"repositories": ["one/app"]}
    publisher = {"authorization": f"Bearer {token_with(closed_door, Scope.PUBLISH, 'one')}"}
    assert closed_door.guest.post("/v2/one/new/blobs/uploads/", headers=publisher).status_code == 202
    assert closed_door.guest.post("/v2/two/new/blobs/uploads/", headers=publisher).status_code == 403
    # What he may not read is not mounted: he may push it, if he has it.
    query = {"mount": str(other.image_id), "from": "two/app"}
    answer = closed_door.guest.post("/v2/one/new/blobs/uploads/", params=query, headers=publisher)
    assert answer.status_code == 202
    assert closed_door.http.head(f"/v2/one/new/blobs/{other.image_id}").status_code == 404


def test_the_challenge_is_one_that_each_client_follows(registry_door, closed_door):
    answer = registry_door.guest.get("/v2/")
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [
        f'Bearer realm="{registry_door.url}/v2/token",service="wheelyard"'
    ]
    anybody = registry_door.guest.get("/v2/token").json()["token"]
    headers = {"authorization": f"Bearer {anybody}"}
    assert registry_door.guest.get("/v2/", headers=headers).status_code == 200
    assert registry_door.guest.post("/v2/c/x/blobs/uploads/", headers=headers).status_code == 401
    assert registry_door.guest.get("/v2/token", auth=("__token__", "wrong")).status_code == 401
    answer = closed_door.guest.get("/v2/")
    assert answer.headers.get_list("www-authenticate") == ['Basic realm="wheelyard", charset="UTF-8"']
    assert closed_door.guest.get("/v2/token").status_code == 401
    assert closed_door.guest.get("/v2/", headers=headers).status_code == 401
    assert closed_door.guest.get("/v2/", auth=("__token__", TOKEN)).status_code == 200


def test_a_host_that_is_none_is_not_told_back(registry_door):
    answer = registry_door.guest.get("/v2/", headers={"host": 'evil",realm="http://evil'})
    assert answer.status_code in (400, 401)
    assert "evil" not in answer.headers.get("www-authenticate", "")


def test_skopeo_follows_links_to_the_store_itself(registry_door_with, tmp_path):
    door = registry_door_with(serve_files="redirect", public_reads=False)
    make_record(door.services, b"by links", tags=["c/links:1"])
    source = address(door, "c/links:1")
    skopeo("copy", "--src-tls-verify=false", "--src-creds", CREDENTIALS, source, f"dir:{tmp_path / 'got'}")
    layer, body = make_layer("greeting", b"by links")
    assert (tmp_path / "got" / layer.digest.hex).read_bytes() == body


def test_skopeo_reads_what_is_attached(registry_door, tmp_path):
    record = make_record(registry_door.services, b"with an sbom", tags=["c/sbom:1"])
    sbom = attach(
        registry_door.services.store, record.manifest_digest, "a/sbom", "a/sbom", b'{"of":"c/sbom"}'
    )
    target = tmp_path / "sbom"
    skopeo("copy", "--src-tls-verify=false", address(registry_door, f"c/sbom@{sbom}"), f"dir:{target}")
    assert (target / Digest.of(b'{"of":"c/sbom"}').hex).read_bytes() == b'{"of":"c/sbom"}'
