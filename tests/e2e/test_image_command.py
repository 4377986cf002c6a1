"""`wheelyard image` from requirements to a container that runs, in real containers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from wheelyard.process import run_command
from worker.engine.command import CommandEngine

pytestmark = pytest.mark.engine

MAIN = """\
import os, sys
import cdemo, cppdemo
import importlib.metadata
print(cdemo.answer(), cppdemo.total(), os.getuid(), sys.argv[1:], importlib.metadata.version("cppdemo"))
"""


def described(stack: Stack, *arguments: str) -> dict:
    """Make an image; the answer's document."""
    lines = stack.cli("image", "cppdemo", *arguments, "--progress", "json").splitlines()
    return next(json.loads(line) for line in reversed(lines) if json.loads(line)["type"] == "result")[
        "result"
    ]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    (folder / "main.py").write_text(MAIN)
    return folder


def test_an_image_is_made_loaded_and_runs_closed_and_without_root(
    stack: Stack, engine: CommandEngine, app: Path
):
    tag = f"wheelyard-e2e:{stack.folder.name}"
    stack.cli(
        "image", "cppdemo", "--app", str(app), "--entrypoint", "python3 /app/main.py", "--cmd", "one two",
        "--load", "--engine", engine.name, "--tag", tag, "--progress", "plain",
    )  # fmt: skip
    command = [*engine.traits.command]
    try:
        said = run_command(
            [*command, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "all",
             *engine.traits.run_options, tag],
            timeout=120,
        )  # fmt: skip
    finally:
        run_command([*command, "rmi", "--force", tag], timeout=120)
    assert said == "42 6 1000 ['one', 'two'] 1.0\n"


def test_the_same_request_is_the_same_image_and_has_no_build_tool(stack: Stack, app: Path, tmp_path: Path):
    first = described(stack, "--app", str(app), "--oci", str(tmp_path / "one"))["image"]
    again = described(stack, "--app", str(app), "--refresh", "--oci", str(tmp_path / "two"))["image"]
    assert again["manifest_digest"] == first["manifest_digest"]
    index = [json.loads((tmp_path / name / "index.json").read_text()) for name in ("one", "two")]
    assert index[0] == index[1]
    assert {"gcc", "g++", "git", "pip", "dpkg", "apt", "sh"} <= set(first["absent"])
    assert [layer["title"] for layer in first["layers"]][1:3] == ["cdemo 1.0", "cppdemo 1.0"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--user", "0:0"], "root"),
        (["--label", "a=b\nc"], "label"),
        (["--app", "/nowhere/at/all"], "nowhere"),
        (["--entrypoint", "sh -c id"], "sh"),
    ],
)
def test_a_wrong_image_is_refused_plainly(stack: Stack, arguments: list[str], words: str):
    assert words in stack.cli("image", "cppdemo", *arguments, "--progress", "plain", code=2)
