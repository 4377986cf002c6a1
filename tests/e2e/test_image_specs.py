"""An image out of a file: the same on two machines, with a health check, with the application's own wheel."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.distributions import metadata_of, wheel
from tests.e2e.conftest import Stack, stack_with_toolchain
from tests.index_site import IndexSite
from wheelyard.process import run_command
from worker.engine.command import CommandEngine
from worker.engine.contract import Engine

pytestmark = pytest.mark.engine

SPEC = """\
requirements = ["cppdemo"]
app = "app"
entrypoint = ["python3", "main.py"]
ports = ["8080", "53/udp"]
user = "1234:1234"
size_budget = "400 MB"
tags = ["specs/machine:latest"]

[environment]
MODE = "fast"

[labels]
team = "video"

[healthcheck]
test = ["python3", "-c", "import cppdemo"]
interval = 2
timeout = 10
"""
PODMANS = ("Healthcheck", "HealthCheck")
MAIN = "import os, time, cppdemo\nprint(cppdemo.total(), os.environ['MODE'], os.getuid(), flush=True)\n"


@contextmanager
def machine(folder: Path, engine: Engine, site: IndexSite) -> Iterator[Stack]:
    """A machine that shares nothing with another one but the toolchain and the index."""
    with stack_with_toolchain(folder, engine, site) as stack:
        stack.cli("cache", "rebuild-db")
        yield stack


@pytest.fixture(scope="module")
def stack(site: IndexSite, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with machine(tmp_path_factory.mktemp("one"), engine, site) as stack:
        yield stack


def project(folder: Path, moment: float) -> Path:
    """A folder with a spec and its application, as it lies on one machine."""
    (folder / "app").mkdir(parents=True)
    for name, text in (("image.toml", SPEC), ("app/main.py", MAIN), ("app/more.py", "x = 1\n")):
        (folder / name).write_text(text)
        os.utime(folder / name, (moment, moment))
    return folder / "image.toml"


def made(stack: Stack, *arguments: str) -> dict[str, Any]:
    """Make an image; the answer's document."""
    lines = stack.cli("image", *arguments, "--progress", "json").splitlines()
    ends = (line for line in map(json.loads, reversed(lines)) if line["type"] == "result")
    image: dict[str, Any] = next(ends)["result"]["image"]
    return image


def config_of(layout: Path) -> dict[str, Any]:
    """The config of the one image in a layout."""

    def read(digest: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((layout / "blobs" / digest.replace(":", "/")).read_bytes())
        return document

    [entry] = json.loads((layout / "index.json").read_bytes())["manifests"]
    config: dict[str, Any] = read(read(entry["digest"])["config"]["digest"])["config"]
    return config


def test_a_spec_is_the_same_image_on_another_machine_and_another_day(
    stack: Stack, engine: Engine, site: IndexSite, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    first = made(stack, "--spec", str(project(tmp_path / "here", time.time())))
    with machine(tmp_path_factory.mktemp("another"), engine, site) as another:
        second = made(another, "--spec", str(project(tmp_path / "there", 1_000_000_000.0)))
    assert second["manifest_digest"] == first["manifest_digest"]
    assert [layer["digest"] for layer in second["layers"]] == [layer["digest"] for layer in first["layers"]]


def test_an_option_goes_before_the_file(stack: Stack, tmp_path: Path):
    spec = str(project(tmp_path / "here", time.time()))
    layout = tmp_path / "layout"
    made(stack, "--spec", spec, "--env", "MODE=slow", "--user", "1:1", "--oci", str(layout))
    config = config_of(layout)
    assert (config["User"], config["Labels"]["team"]) == ("1:1", "video")
    assert "MODE=slow" in config["Env"]


def test_dockers_format_carries_ports_and_a_health_check_that_the_engine_runs(
    stack: Stack, engine: CommandEngine, tmp_path: Path
):
    command = [*engine.traits.command]
    tag = f"specs/health-{os.getpid()}:1"
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(MAIN + "time.sleep(60)\n")
    stack.cli(
        "image", "--spec", str(project(tmp_path / "here", 1.0)), "--app", str(tmp_path / "app"), "--format",
        "docker", "--load", "--engine", engine.name, "--tag", tag, "--progress", "plain",
    )  # fmt: skip
    try:
        [inspected] = json.loads(run_command([*command, "inspect", "--type", "image", tag], timeout=60))
        assert set(inspected["Config"]["ExposedPorts"]) == {"8080/tcp", "53/udp"}
        # podman's newer ones write it in another way than the older ones, and docker has it in the config.
        check = next(
            found
            for place, name in ((inspected["Config"], "Healthcheck"), *((inspected, n) for n in PODMANS))
            if (found := place.get(name))
        )
        assert (check["Test"][0], check["Interval"]) == ("CMD", 2_000_000_000)
        started = run_command([*command, "run", "-d", *engine.traits.run_options, tag], timeout=60)
        container = started.strip().splitlines()[-1]
        if engine.name == "podman":
            # Its timers are systemd's, which not every machine has; a failed check is a failed command.
            run_command([*command, "healthcheck", "run", container], timeout=60)
        run_command([*command, "rm", "--force", container], timeout=60)
    finally:
        run_command([*command, "rmi", "--force", tag], timeout=120)


def test_the_applications_wheel_brings_what_it_requires_and_lies_on_top(stack: Stack, tmp_path: Path):
    path = tmp_path / "app-1.0-py3-none-any.whl"
    path.write_bytes(wheel("app", metadata=metadata_of("app", "1.0", "Requires-Dist: cdemo\n")))
    image = made(stack, "--app", str(path), "--entrypoint", "python3 -m app")
    titles = [layer["title"] for layer in image["layers"]]
    assert {"cdemo 1.0", "app 1.0"} <= set(titles)
    assert titles.index("app 1.0") > titles.index("cdemo 1.0")
