"""Pushes into a real registry: what goes, what does not, what refuses, and what a broken way costs."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import threading

import pytest

from tests.integration.wheelyard.registry.conftest import make
from tests.registry_site import PASSWORD, USER, CutWire, serve_registry
from wheelyard.errors import InputError, Unauthorized
from wheelyard.registry.address import parse_target
from wheelyard.registry.blob_upload import Arrival
from wheelyard.registry.known_places import KnownPlaces
from wheelyard.registry.refusals import RegistryUnavailable


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serve_registry(tmp_path_factory.mktemp("registry")) as site:
        yield site


@pytest.fixture
def wire(site):
    wire = CutWire(site.port)
    yield wire
    wire.close()


def test_an_image_arrives_whole_with_its_tag_last(site, source, push):
    image = make(source, base=3_000_000, small=50_000)
    before = len(site.requests())
    pushed = push(image, f"{site.host}/whole/app:1.2")
    assert pushed.digest == image.digest
    assert {arrival for _, arrival in pushed.arrivals} == {Arrival.SENT}
    for layer in image.layers:
        assert site.blob(layer.digest.hex) == source.blobs[layer.digest]
    assert site.requests()[before:][-1] == ("PUT", "/v2/whole/app/manifests/1.2", 201)


def test_what_is_there_is_not_sent_again(site, source, push):
    first = make(source, base=3_000_000, numpy=200_000)
    second = make(source, base=3_000_000, scipy=300_000)
    push(first, f"{site.host}/again/app:1")
    source.opened.clear()
    before = len(site.requests())
    pushed = push(second, f"{site.host}/again/app:2")
    arrivals = {blob.title: arrival for blob, arrival in pushed.arrivals}
    assert arrivals == {"base": Arrival.THERE, "scipy": Arrival.SENT, "config": Arrival.SENT}
    assert {digest for digest, _ in source.opened} == {second.layers[1].digest, second.id}
    uploads = [
        path for method, path, _ in site.requests()[before:] if method == "PUT" and "/uploads/" in path
    ]
    assert len(uploads) == 2


def test_a_blob_of_another_repository_is_mounted(site, source, push, tmp_path):
    image = make(source, mounted=2_000_000)
    known = KnownPlaces(tmp_path / "known.json")
    push(image, f"{site.host}/mount/one:1", known=known)
    source.opened.clear()
    remembered = KnownPlaces(tmp_path / "known.json")
    pushed = push(image, f"{site.host}/mount/two:1", known=remembered)
    assert {arrival for _, arrival in pushed.arrivals} == {Arrival.MOUNTED}
    named = push(image, f"{site.host}/mount/three:1", mount_from=["mount/one"])
    assert {arrival for _, arrival in named.arrivals} == {Arrival.MOUNTED}
    assert source.opened == []


def test_a_repository_that_lost_the_blob_is_no_harm(site, source, push):
    image = make(source, lost=100_000)
    pushed = push(image, f"{site.host}/mount/four:1", mount_from=["no/such/repository"])
    assert {arrival for _, arrival in pushed.arrivals} == {Arrival.SENT}


def test_a_push_that_is_cut_in_the_middle_ends_well(site, source, push, progress, wire):
    """This registry forgets what came in a request that broke: the blob begins anew, the others are kept."""
    image = make(source, cut=12_000_000, kept=2_000_000)
    push(make(source, kept=2_000_000), f"{site.host}/cut/app:0")
    source.opened.clear()
    wire.cut_after(5_000_000, 3_000_000)
    pushed = push(image, f"{wire.host}/cut/app:1")
    assert pushed.digest == image.digest
    assert wire.cuts_left == 0
    assert site.blob(image.layers[0].digest.hex) == source.blobs[image.layers[0].digest]
    assert progress.ends["kept"] is Arrival.THERE
    assert progress.positions["cut"][-1] == image.layers[0].size


def test_a_source_that_breaks_is_opened_again_where_it_was(site, source, push):
    image = make(source, broken=6_000_000)
    source.breaks = 2
    push(image, f"{site.host}/source/app:1")
    assert site.blob(image.layers[0].digest.hex) == source.blobs[image.layers[0].digest]


def test_a_way_that_never_holds_says_how_far_it_came(site, source, push, wire, monkeypatch):
    monkeypatch.setattr("wheelyard.registry.blob_upload._PAUSES", (0.01,))
    image = make(source, never=4_000_000)
    wire.cut_after(*[1_500_000] * 20)
    with pytest.raises(RegistryUnavailable) as refused:
        push(image, f"{wire.host}/never/app:1")
    assert "'never'" in refused.value.failed
    assert refused.value.facts["size"] == image.layers[0].size
    assert not any("never/app/manifests" in path for _, path, _ in site.requests())


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with serve_registry(tmp_path_factory.mktemp("locked"), login=True) as site:
        yield site


def auth_file(path, host, password):
    pair = base64.b64encode(f"{USER}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": pair}}}))
    return path


def test_a_login_of_the_docker_config_is_used(locked, source, push, tmp_path):
    image = make(source, locked=100_000)
    config = auth_file(tmp_path / "config.json", locked.host, PASSWORD)
    assert push(image, f"{locked.host}/team/app:1", logins=[config]).digest == image.digest


def test_a_wrong_login_and_none_say_what_to_do(locked, source, push, tmp_path):
    image = make(source, locked=100_000)
    with pytest.raises(Unauthorized) as refused:
        push(image, f"{locked.host}/team/app:1")
    assert f"docker login {locked.host}" in refused.value.do
    assert "no login is known" in refused.value.found
    config = auth_file(tmp_path / "config.json", locked.host, "wrong secret")
    with pytest.raises(Unauthorized) as refused:
        push(image, f"{locked.host}/team/app:1", logins=[config])
    assert USER in refused.value.failed
    assert "wrong secret" not in str(refused.value.to_document())
    assert not any(method in {"PUT", "POST"} and status == 401 for method, _, status in locked.requests())


def test_an_unknown_registry_is_not_mistaken_for_one_that_is_busy(source, push):
    image = make(source, nowhere=1000)
    with pytest.raises(RegistryUnavailable) as refused:
        push(image, "registry.invalid/team/app:1")
    assert "registry.invalid" in refused.value.failed


def test_what_is_no_registry_is_called_so(source, push, tmp_path):
    pages = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(RegistryUnavailable, match="is not a registry"):
            push(make(source, page=1000), f"127.0.0.1:{server.server_port}/team/app:1")
        server.shutdown()


@pytest.mark.parametrize(
    "reference",
    [
        "app:1",
        "team/app:1",
        "registry.example/Team/app:1",
        "registry.example/app:-1",
        "registry.example/app:a b",
        "registry.example/app@sha256:" + "0" * 64,
        "registry.example/app:",
        "https://registry.example/app:1",
        "registry.example/:1",
        "",
    ],
)
def test_what_is_no_tag_in_a_registry_is_refused(reference):
    with pytest.raises(InputError) as refused:
        parse_target(reference)
    assert refused.value.expected
