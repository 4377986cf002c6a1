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


def log_in(engine: CommandEngine, host: str, token: str) -> subprocess.CompletedProcess[str]:
    """Let the engine know the token."""
    command = [*engine.traits.command, "login", "--username", "__token__", "--password-stdin", host]
    # Docker knows by itself that loopback needs no certificate.
    command += ["--tls-verify=false"] if engine.name == "podman" else []
    return subprocess.run(command, input=token, capture_output=True, text=True, timeout=60, check=False)


def pull(engine: CommandEngine, host: str, name: str) -> subprocess.CompletedProcess[str]:
    """One pull by the engine; a build may take longer than it waits."""
    options = ["--tls-verify=false"] if engine.name == "podman" else []
    limit = time.monotonic() + 300
    while True:
        done = subprocess.run(
            [*engine.traits.command, "pull", *options, f"{host}/{name}"],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if "is being built" not in done.stderr or time.monotonic() > limit:
            return done


def image_id(engine: CommandEngine, name: str) -> str:
    """An image's id in the engine, 64 hex digits."""
    command = [*engine.traits.command, "image", "inspect", "--format", "{{.Id}}", name]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return said.strip().removeprefix("sha256:")


def test_an_image_by_name_is_built_pulled_run_and_named(
    run_stack: Stack, engine: CommandEngine, tmp_path, monkeypatch
):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    client = json.loads((run_stack.folder / "data" / "run" / "client.json").read_text())
    host = run_stack.url.removeprefix("http://")
    name = "run/debian12-cp311/cppdemo:latest"
    command = [*engine.traits.command]
    try:
        assert log_in(engine, host, "wrong").returncode != 0
        assert pull(engine, host, name).returncode != 0
        logged_in = log_in(engine, host, client["token"])
        assert logged_in.returncode == 0, logged_in.stderr
        done = pull(engine, host, name)
        assert done.returncode == 0, done.stderr
        image = image_id(engine, f"{host}/{name}")
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
        assert pull(engine, host, "e2e/cpp:1").returncode == 0
        assert image_id(engine, f"{host}/e2e/cpp:1") == image
    finally:
        for tag in (name, "e2e/cpp:1"):
            subprocess.run(
                [*command, "rmi", "--force", f"{host}/{tag}"], capture_output=True, timeout=120, check=False
            )
