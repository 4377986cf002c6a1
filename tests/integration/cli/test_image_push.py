"""`wheelyard image push`: from the real front door into registries, and into the front door itself."""

from __future__ import annotations

import base64
import json
import os

import pytest

from tests import fake_registry
from tests.contract.test_service import TOKEN, real_world
from tests.fake_registry import FakeRegistry
from tests.integration.builder_service.registry_images import make_record
from tests.registry_site import CutWire
from wheelyard.cli.app import run


@pytest.fixture
def world(request, monkeypatch, own_machine, tmp_path):
    with real_world(request) as made:
        monkeypatch.setenv("WHEELYARD_URL", made.url)
        monkeypatch.setenv("WHEELYARD_TOKEN", TOKEN)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
        monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
        yield made


@pytest.fixture
def registry():
    with fake_registry.serving(FakeRegistry()) as registry:
        yield registry


@pytest.fixture
def pushed(capsys):
    """Runs a push; its code, the documents that it wrote, and its errors."""

    def push(*arguments):
        capsys.readouterr()
        code = run(["image", "push", *arguments, "--progress", "json"])
        out, err = capsys.readouterr()
        # The service runs in this process, and its own log is among the lines.
        documents = [json.loads(line) for line in out.splitlines() if line.startswith('{"type"')]
        return code, documents, err

    return push


def log_in(tmp_path, host, secret):
    (tmp_path / "docker").mkdir(exist_ok=True)
    auth = base64.b64encode(f"__token__:{secret}".encode()).decode()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_an_image_goes_out_by_tag_and_by_digest(world, registry, pushed):
    record = make_record(world.services, tags=["team/app:1"])
    for number, name in enumerate(
        ("team/app:1", str(record.manifest_digest), f"images@{record.manifest_digest}")
    ):
        code, documents, err = pushed(name, f"{registry.host}/out/app:{number}")
        assert code == 0, err
        assert documents[-1]["type"] == "pushed"
        assert documents[-1]["digest"] == str(record.manifest_digest)
        assert f"out/app {number}" in registry.manifests
    assert {document["arrival"] for document in documents if document["type"] == "blob"} == {"there"}


def test_the_second_of_two_images_sends_what_differs_and_no_more(world, registry, pushed):
    first = make_record(world.services, b"the same " * 50_000, tags=["team/app:1"])
    pushed("team/app:1", f"{registry.host}/out/app:1")
    before = registry.received
    second = make_record(world.services, os.urandom(2_000_000), tags=["team/app:2"])
    code, documents, _ = pushed("team/app:2", f"{registry.host}/out/app:2")
    assert code == 0
    assert registry.received - before == second.size + second.config_size == documents[-1]["sent"]
    code, documents, _ = pushed("team/app:1", f"{registry.host}/other/app:1")
    assert documents[-1]["mounted"] == first.size + first.config_size
    assert documents[-1]["sent"] == 0


def test_a_push_into_the_front_door_goes_on_where_it_was_cut(world, pushed, tmp_path):
    record = make_record(world.services, os.urandom(9_000_000), tags=["team/app:1"])
    wire = CutWire(int(world.url.rpartition(":")[2]))
    log_in(tmp_path, wire.host, TOKEN)
    wire.cut_after(3_000_000, 2_000_000)
    # Its own blobs are mounted by name only: this repository has none of them.
    code, documents, err = pushed("team/app:1", f"{wire.host}/copy/app:7")
    wire.close()
    assert code == 0, err
    assert wire.cuts_left == 0
    assert documents[-1]["sent"] == record.size + record.config_size
    # What was on the way when it broke came twice, and nothing else.
    assert wire.passed < record.size + 2_500_000


def test_what_is_no_image_and_what_is_no_target_is_wrong_input(world, registry, pushed):
    make_record(world.services, tags=["team/app:1"])
    for image, target, words in (
        ("team/none:1", "registry.example/app:1", "no image team/none:1"),
        ("sha256:" + "0" * 64, "registry.example/app:1", "no image"),
        ("0123456789abcdef", "registry.example/app:1", "no image"),
        ("team/app:1", "app:1", "names no registry"),
        ("team/app:1", "registry.example/app:a:b", "is not"),
        ("Team/app:1", "registry.example/app:1", "lower case"),
    ):
        code, documents, err = pushed(image, target)
        assert code == 2, (image, target, err)
        assert words in err
        assert documents == []
    assert registry.requests == []


def test_a_refusal_says_where_to_log_in(world, registry, pushed, tmp_path):
    make_record(world.services, tags=["team/app:1"])
    registry.tokens = True
    code, _, err = pushed("team/app:1", f"{registry.host}/out/app:1")
    assert code == 2
    assert f"docker login {registry.host}" in err
    log_in(tmp_path, registry.host, "wrong")
    code, _, err = pushed("team/app:1", f"{registry.host}/out/app:1")
    assert code == 2
    assert "wrong" not in err
    assert registry.manifests == {}
