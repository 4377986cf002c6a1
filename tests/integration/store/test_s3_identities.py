"""Keys that may do less than everything, on the real S3 server: what they can, and what they are told."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.conftest import S3Server, make_bucket, running
from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.settings import Settings
from wheelyard.stack.servers import BUCKET, Ports, remove_sockets, s3_program
from wheelyard.store.open import open_store

KEYS = {
    "reader": [f"Read:{BUCKET}", f"List:{BUCKET}"],
    "writer": [f"Read:{BUCKET}", f"List:{BUCKET}", f"Write:{BUCKET}"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[S3Server]:
    """A server with a key for each of several identities; the secret of each is its name twice."""
    folder = tmp_path_factory.mktemp("identities")
    ports, access_key, secret_key = Ports.draw(), secrets.token_hex(10), secrets.token_urlsafe(24)
    program = s3_program(folder / "s3", folder / "run", ports, access_key, secret_key)
    path = folder / "run" / "s3.json"
    document = json.loads(path.read_text())
    document["identities"] += [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": name * 2}], "actions": actions}
        for name, actions in KEYS.items()
    ]
    path.write_text(json.dumps(document))
    try:
        with running(program, ports.s3, folder) as process:
            made = S3Server(ports=ports, access_key=access_key, secret_key=secret_key, process=process)
            make_bucket(made)
            yield made
    finally:
        remove_sockets(ports)


def settings_of(server: S3Server, name: str) -> Settings:
    keys = {"s3_access_key": name, "s3_secret_key": SecretStr(name * 2)}
    return server.settings().model_copy(update=keys)


def test_a_reader_reads_and_is_told_what_it_may_not_do(server):
    body, digest = b"bytes", Digest.of(b"bytes")
    owner, reader = open_store(server.settings()), open_store(settings_of(server, "reader"))
    owner.put_blob(body, digest)
    owner.put_document("records/a.json", b"{}")
    with reader.open_blob(digest) as stream:
        assert stream.read() == body
    assert list(reader.list_documents("records/")) == ["records/a.json"]
    assert [blob.digest for blob in reader.list_blobs()] == [digest]
    for call in (
        lambda: reader.put_blob(b"other", Digest.of(b"other")),
        lambda: reader.put_document("records/b.json", b"{}"),
        lambda: reader.delete_blob(digest),
        lambda: reader.delete_document("records/a.json"),
        reader.check,
    ):
        with pytest.raises(StoreUnavailable, match="AccessDenied") as refused:
            call()
        assert "what that key may do" in refused.value.do
    assert owner.blob_size(digest) == len(body)
    assert owner.get_document("records/b.json") is None


def test_a_writer_of_the_bucket_keeps_every_promise(server):
    writer = open_store(settings_of(server, "writer"))
    assert [promise for promise in writer.check() if not promise.kept] == []


def test_a_key_that_may_not_remove_is_told_what_that_costs(server, monkeypatch):
    """As with the policy that leaves `s3:DeleteObject` out; SeaweedFS has no such right of its own."""
    store = open_store(settings_of(server, "writer"))

    def refuse(request, **_rest):
        request.method = "PUT"
        request.url = request.url.replace(BUCKET, "not-ours")

    store._client.meta.events.register("before-sign.s3.DeleteObject", refuse)
    broken = {promise.name: promise.costs for promise in store.check() if not promise.kept}
    assert "renewal and removal" in broken
    assert "`cache gc --delete`" in broken["renewal and removal"]
