"""A bucket without its database, a flipped byte in it, and the wheel built again from its record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack, stack_with_toolchain
from tests.e2e.test_builds import built
from tests.index_site import IndexSite
from wheelyard.digests import Digest
from worker.engine.contract import Engine


@pytest.fixture
def stack(site: IndexSite, engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    """A stack over a bucket with a toolchain in it, and with an empty database."""
    with stack_with_toolchain(tmp_path, engine, site) as running:
        yield running


def test_a_flipped_byte_is_found_and_the_wheel_is_built_again_the_very_same(stack: Stack):
    assert "toolchains: debian12-cp311 added" in stack.cli("cache", "rebuild-db")
    wheel = built(stack, "cdemo")[0]
    digest = Digest.parse(wheel["digest"])
    place = stack.folder / "store" / "blobs" / "sha256" / digest.hex[:2] / digest.hex
    body = bytearray(place.read_bytes())
    body[len(body) // 2] ^= 1
    place.write_bytes(body)

    said = stack.cli("cache", "verify", code=3)
    assert f"{digest}: damaged" in said
    assert f"the wheel of {wheel['filename']}" in said

    report = json.loads(stack.cli("cache", "verify", "--repair", "--wait", "--json"))
    assert report["whole"], report
    assert [job["state"] for job in report["jobs"]] == ["succeeded"]
    assert Digest.of_file(place) == digest
    assert "all of it is whole" in stack.cli("cache", "verify")
