"""A bucket without its database, a flipped byte in it, and the wheel built again from its record."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import TOOLCHAIN, Stack, free_port, wait_for
from tests.e2e.made_toolchain import made_toolchain
from tests.e2e.test_builds import built
from tests.index_site import IndexSite
from wheelyard.digests import Digest
from worker.engine.contract import Engine


def copied(source: Path, target: Path) -> None:
    """A copy of a store's folder: by links, where that can be."""
    try:
        shutil.copytree(source, target, copy_function=os.link)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


@pytest.fixture
def stack(site: IndexSite, engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    """A stack over a bucket with a toolchain in it, and with an empty database."""
    copied(made_toolchain(engine).settings.data_dir / "store", tmp_path / "store")
    port = free_port()
    environment = {
        **os.environ,
        "WHEELYARD_DATA_DIR": str(tmp_path / "data"),
        "WHEELYARD_STORE_URL": f"file://{tmp_path / 'store'}",
        "WHEELYARD_PORT": str(port),
        "WHEELYARD_INDEX_URL": site.url,
        "WHEELYARD_TOOLCHAIN": TOOLCHAIN,
        "NO_COLOR": "1",
    }
    log = tmp_path / "up.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "wheelyard", "up"],
            env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for(tmp_path / "data" / "run" / "client.json", process, log)
        yield Stack(
            process=process,
            folder=tmp_path,
            environment=environment,
            url=f"http://127.0.0.1:{port}",
            site=site,
        )
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


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
