"""A real engine pulls from the front door: an image that is made while it waits, and a tag that was given."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Stack, stack_with_toolchain
from worker.engine.command import CommandEngine

pytestmark = pytest.mark.engine

SAYS = "import cppdemo, os; print(cppdemo.total(), os.getuid())"


@pytest.fixture(scope="module")
def run_stack(tmp_path_factory, engine, site) -> Iterator[Stack]:
    """A stack that makes images by name."""
    folder = tmp_path_factory.mktemp("registry")
    with stack_with_toolchain(folder, engine, site, WHEELYARD_RUN_IMAGES="true") as running:
        yield running


def pull(engine: CommandEngine, host: str, name: str, token: str) -> subprocess.CompletedProcess[str]:
    """One pull by podman; a build may take longer than it waits."""
    command = [*engine.traits.command, "pull", "--tls-verify=false", "--creds", f"__token__:{token}"]
    limit = time.monotonic() + 300
    while True:
        done = subprocess.run(
            [*command, f"{host}/{name}"], capture_output=True, text=True, timeout=300, check=False
        )
        if "is being built" not in done.stderr or time.monotonic() > limit:
            return done


def test_an_image_by_name_is_built_pulled_run_and_named(run_stack: Stack, engine: CommandEngine):
    if engine.name != "podman":
        pytest.skip("docker wants its daemon told of a registry without a certificate")
    client = json.loads((run_stack.folder / "data" / "run" / "client.json").read_text())
    host = run_stack.url.removeprefix("http://")
    name = "run/debian12-cp311/cppdemo:latest"
    command = [*engine.traits.command]
    try:
        refused = pull(engine, host, name, "wrong")
        assert refused.returncode != 0
        done = pull(engine, host, name, client["token"])
        assert done.returncode == 0, done.stderr
        image = done.stdout.split()[-1]
        said = subprocess.run(
            [*command, "run", "--rm", "--network", "none", "--read-only", *engine.traits.run_options,
             f"{host}/{name}", "-c", SAYS],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout  # fmt: skip
        assert said == "6 1000\n"
        run_stack.cli("image", "tag", image[:16], "e2e/cpp:1")
        listed = run_stack.answer("image", "list")
        assert listed[0]["image_id"] == f"sha256:{image}"
        assert set(listed[0]["tags"]) == {"e2e/cpp:1", name}
        again = pull(engine, host, "e2e/cpp:1", client["token"])
        assert again.stdout.split()[-1] == image
    finally:
        for tag in (name, "e2e/cpp:1"):
            subprocess.run(
                [*command, "rmi", "--force", f"{host}/{tag}"], capture_output=True, timeout=120, check=False
            )
