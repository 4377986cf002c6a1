"""Images on their way out: into the engine with what it lacks, into a real registry with what that lacks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Stack
from tests.registry_site import RegistrySite, serve_registry
from wheelyard.process import run_command
from worker.engine.command import CommandEngine

pytestmark = pytest.mark.engine

PROBE = "python3 -c 'import cdemo; assert cdemo.answer() == 42'"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistrySite]:
    with serve_registry(tmp_path_factory.mktemp("registry")) as site:
        yield site


def documents(stack: Stack, *arguments: str) -> list[dict]:
    lines = stack.cli("image", *arguments, "--progress", "json").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_the_second_image_sends_its_own_wheel_and_its_health_is_asked_for(
    stack: Stack, engine: CommandEngine, registry: RegistrySite
):
    tag = f"wheelyard-e2e-out:{stack.folder.name}"
    first = documents(stack, "cdemo==1.0", "--push", f"{registry.host}/out/app:1")[-1]
    assert first["type"] == "pushed"
    made = documents(
        stack, "cppdemo==1.0", "--format", "docker", "--healthcheck", PROBE, "--tag", tag, "--load",
        "--engine", engine.name, "--push", f"{registry.host}/out/app:2", "--referrers",
    )  # fmt: skip
    second = made[-1]
    sent = {blob["title"] for blob in second["blobs"] if blob["arrival"] == "sent"}
    assert sent == {"cppdemo 1.0", "config"}
    assert second["sent"] < 100_000 < second["there"]
    puts = [path for method, path, status in registry.requests() if method == "PUT" and status == 201]
    # The image and, before it, the documents about it and the list of them.
    assert puts[-1] == "/v2/out/app/manifests/2"
    assert sum("/manifests/sha256" in path for path in puts) >= 2
    command, name = [*engine.traits.command], f"wheelyard-e2e-health-{stack.folder.name}"
    sleep = ["-c", "import time; time.sleep(120)"]
    try:
        run_command(
            [*command, "run", "--detach", "--name", name, "--network", "none", *engine.traits.run_options,
             "--entrypoint", "python3", tag, *sleep],
            timeout=120,
        )  # fmt: skip
        if engine.name == "podman":
            run_command([*command, "healthcheck", "run", name], timeout=60)
        wanted = run_command(
            [*command, "inspect", "--format", "{{json .Config.Healthcheck}}", name], timeout=60
        )
        assert json.loads(wanted)["Test"][:2] == ["CMD", "python3"]
    finally:
        for ending in (["kill", name], ["rm", "--force", name], ["rmi", "--force", tag]):
            subprocess.run([*command, *ending], capture_output=True, timeout=120, check=False)
