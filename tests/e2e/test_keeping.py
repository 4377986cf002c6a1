"""A flipped byte in the real bucket, and the wheel that is built again from its record."""

from __future__ import annotations

import json

from tests.e2e.conftest import Stack
from tests.e2e.test_builds import built
from wheelyard.digests import Digest
from wheelyard.settings import Settings
from wheelyard.stack.own_settings import with_own_servers
from wheelyard.store.layout import blob_name
from wheelyard.store.open import open_store


def test_a_flipped_byte_is_found_and_the_wheel_is_built_again_the_very_same(stack: Stack):
    wheel = built(stack, "cdemo")[0]
    digest = Digest.parse(wheel["digest"])
    store = open_store(with_own_servers(Settings(data_dir=stack.folder)))
    with store.open_blob(digest) as stream:
        body = bytearray(stream.read())
    body[len(body) // 2] ^= 1
    store._client.put_object(**store._at(blob_name(digest)), Body=bytes(body))

    said = stack.cli("cache", "verify", code=3)
    assert f"{digest}: damaged" in said
    assert f"the wheel of {wheel['filename']}" in said

    report = json.loads(stack.cli("cache", "verify", "--repair", "--wait", "--json"))
    assert report["whole"], report
    assert [job["state"] for job in report["jobs"]] == ["succeeded"]
    with store.open_blob(digest) as stream:
        assert Digest.of(stream.read()) == digest
    assert "all of it is whole" in stack.cli("cache", "verify")
