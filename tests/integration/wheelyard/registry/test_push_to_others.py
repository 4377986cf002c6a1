"""Pushes into registries that do what docker-registry does not: tokens, resumed uploads, limits, refusals."""

from __future__ import annotations

import base64
import json

import pytest

from tests import fake_registry
from tests.fake_registry import IDENTITY, PASSWORD, USER, FakeRegistry
from tests.integration.wheelyard.registry.conftest import make
from tests.registry_site import CutWire
from wheelyard.errors import Conflict, Forbidden, InfrastructureError, InputError, NotFound, Unauthorized
from wheelyard.registry.blob_upload import Arrival
from wheelyard.registry.refusals import RegistryUnavailable


@pytest.fixture
def registry():
    with fake_registry.serving(FakeRegistry()) as registry:
        yield registry


@pytest.fixture
def wire(registry):
    wire = CutWire(int(registry.host.rpartition(":")[2]))
    yield wire
    wire.close()


@pytest.fixture
def quick(monkeypatch):
    """Waits for nothing."""
    monkeypatch.setattr("wheelyard.registry.blob_upload._PAUSES", (0.0,))
    monkeypatch.setattr("wheelyard.registry.connection._PAUSES", (0.0,))


@pytest.fixture
def config(tmp_path):
    """Writes a docker config with one entry; gives the list of files."""

    def config_of(host, **entry):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"auths": {host: entry}}))
        return [path]

    return config_of


def basic(password=PASSWORD):
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


def test_a_blob_that_is_cut_goes_on_at_the_byte_where_it_was(registry, source, push, wire):
    image = make(source, cut=12_000_000)
    layer = image.layers[0]
    wire.cut_after(5_000_000, 3_000_000)
    push(image, f"{wire.host}/cut/app:1")
    assert registry.blobs[f"cut/app {layer.digest}"] == source.blobs[layer.digest]
    offsets = [offset for digest, offset in source.opened if digest == layer.digest]
    assert len(offsets) == 3
    assert offsets[0] == 0
    assert 4_000_000 < offsets[1] < offsets[2] < 9_000_000
    # No byte came twice but the ones that were on the way when it broke.
    assert registry.received == layer.size + len(image.config)


def test_a_way_that_breaks_often_is_gone_to_its_end_as_long_as_it_leads_on(
    registry, source, push, wire, quick
):
    image = make(source, long=12_000_000)
    wire.cut_after(*[800_000] * 12)
    push(image, f"{wire.host}/long/app:1")
    assert registry.received == image.layers[0].size + len(image.config)


def test_a_lost_answer_costs_no_byte(registry, source, push):
    image = make(source, small=1000, large=2_000_000)
    registry.losing = ["PUT .*/uploads/", "PUT .*/uploads/", "POST", "PUT .*/manifests/", "HEAD"]
    push(image, f"{registry.host}/lost/app:1")
    assert registry.losing == []
    assert registry.received == sum(layer.size for layer in image.layers) + len(image.config)
    assert "lost/app 1" in registry.manifests


def test_a_registry_that_fails_each_time_is_left_and_says_so(registry, source, push, quick):
    registry.refusing = {"PUT .*/blobs/uploads/": 503}
    with pytest.raises(RegistryUnavailable, match="broke off"):
        push(make(source, small=1000), f"{registry.host}/lost/app:1")


def test_a_limit_of_one_request_makes_it_several(registry, source, push, quick, monkeypatch):
    monkeypatch.setattr("wheelyard.registry.blob_upload._PIECE", 2_000_000)
    registry.most = 3_000_000
    image = make(source, large=5_000_000)
    push(image, f"{registry.host}/large/app:1")
    assert registry.blobs[f"large/app {image.layers[0].digest}"] == source.blobs[image.layers[0].digest]
    assert [method for method, path in registry.requests if "/uploads/" in path].count("PATCH") == 4


def test_a_token_is_asked_for_once_with_all_that_a_push_needs(registry, source, push, config):
    registry.tokens = True
    image = make(source, one=1000)
    push(
        image,
        f"{registry.host}/team/app:1",
        logins=config(registry.host, auth=basic()),
        mount_from=["team/base"],
    )
    assert registry.asked == [
        {"service": ["tests"], "scope": ["repository:team/app:pull,push", "repository:team/base:pull"]}
    ]


def test_a_token_that_ends_in_the_middle_is_renewed(registry, source, push, config):
    # More uses than there are requests at once: a real token ends with time, and not because others used it.
    registry.tokens, registry.token_uses = True, 6
    image = make(source, one=2_000_000, two=3_000_000)
    push(image, f"{registry.host}/team/app:1", logins=config(registry.host, auth=basic()))
    assert len(registry.asked) > 2
    assert "team/app 1" in registry.manifests


def test_an_identity_token_is_exchanged(registry, source, push, config):
    registry.tokens = True
    push(
        make(source, one=1000),
        f"{registry.host}/team/app:1",
        logins=config(registry.host, identitytoken=IDENTITY),
    )
    assert registry.asked[0]["grant_type"] == ["refresh_token"]


def test_a_token_server_that_refuses_is_said_plainly(registry, source, push, config):
    registry.tokens = True
    with pytest.raises(Unauthorized) as refused:
        push(
            make(source, one=1000),
            f"{registry.host}/team/app:1",
            logins=config(registry.host, auth=basic("no")),
        )
    assert f"docker login {registry.host}" in refused.value.do


def test_a_registry_that_takes_no_token_at_all_is_not_asked_for_ever(registry, source, push, config):
    registry.tokens, registry.token_uses = True, 0
    with pytest.raises(Unauthorized):
        push(
            make(source, one=1000), f"{registry.host}/team/app:1", logins=config(registry.host, auth=basic())
        )
    assert len(registry.requests) < 10


@pytest.mark.parametrize(
    ("pattern", "status", "kind", "words"),
    [
        ("POST .*/uploads/", 403, Forbidden, "does not allow"),
        ("POST .*/uploads/", 404, NotFound, "to be made first"),
        ("PUT .*/manifests/", 409, Conflict, "may be moved"),
        ("PUT .*/manifests/", 400, InputError, "refuses"),
        ("POST .*/uploads/", 429, InfrastructureError, "later"),
        ("HEAD .*/blobs/", 500, InfrastructureError, "later"),
    ],
)
def test_each_refusal_says_what_the_registry_said(
    registry, source, push, quick, pattern, status, kind, words
):
    registry.refusing = {pattern: status}
    with pytest.raises(kind) as refused:
        push(make(source, one=1000), f"{registry.host}/team/app:1")
    assert words in str(refused.value)
    assert str(status) in refused.value.found
    assert "team/app 1" not in registry.manifests
    if not pattern.startswith("HEAD"):
        assert "DENIED: the tests say so" in refused.value.found


def test_a_mount_that_is_refused_is_a_push(registry, source, push):
    image = make(source, one=2_000_000)
    pushed = push(image, f"{registry.host}/team/app:1", mount_from=["other/app"])
    assert {arrival for _, arrival in pushed.arrivals} == {Arrival.SENT}


def test_the_first_failure_ends_the_others(registry, source, push):
    image = make(source, **{f"layer{n}": 1_500_000 for n in range(12)})
    registry.refusing = {"PATCH": 403}
    with pytest.raises(Forbidden):
        push(image, f"{registry.host}/team/app:1")
    assert len({digest for digest, _ in source.opened}) < 9
