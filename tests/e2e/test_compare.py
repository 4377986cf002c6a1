"""`wheelyard compare` in real containers: a Dockerfile and a spec of one small application."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.e2e.conftest import TOOLCHAIN, Stack
from tests.e2e.made_toolchain import remove_images
from tests.e2e.projects import DECLARED, PYPROJECT
from wheelyard.process import run_command
from worker.comparison.engine_images import LABEL, REPOSITORY
from worker.engine.command import CommandEngine

pytestmark = pytest.mark.engine

# The first image that runs writes the input, the others find it.
MAIN = """\
import json, os, pathlib
import importlib.metadata
import comparedemo
given = pathlib.Path("/shared/input")
if not given.exists():
    given.write_text("seven")
said = {"input": given.read_text(), "user": os.getuid(), "answers": [comparedemo.answer + WRONG]}
versions = {"comparedemo": importlib.metadata.version("comparedemo")}
print("some line before")
print(json.dumps({"result": said, "tolerance": 1, "versions": versions}))
"""
DOCKERFILE = """\
ARG BASE
FROM {toolchain} AS builder
USER 0
ARG PIP_CONFIG_FILE=/run/secrets/pip.conf
COPY requirements.txt /
RUN --mount=type=secret,id=pip.conf /opt/wheelyard/bin/python -m pip install --no-cache-dir \\
    --python-version 3.11 --only-binary :all: --target /site -r /requirements.txt
FROM ${{BASE}}
COPY --from=builder /site /site
COPY main.py /app/
ENV PYTHONPATH=/site
ENTRYPOINT ["python3", "/app/main.py"]
"""
SPEC = 'requirement_files = ["requirements.txt"]\napp = "."\nentrypoint = ["python3", "/app/main.py"]\n'


@pytest.fixture(scope="module")
def base(stack: Stack, engine: CommandEngine) -> Iterator[str]:
    """A small image with Python in it for the Dockerfile to begin from; and the wheels in the cache."""
    for version in ("1.0", "1.1"):
        files = {
            "PKG-INFO": DECLARED.format(name="comparedemo").replace("1.0", version),
            "pyproject.toml": PYPROJECT,
            "setup.py": f"from setuptools import setup\nsetup(name='comparedemo', version='{version}', "
            "py_modules=['comparedemo'])\n",
            "comparedemo.py": "answer = 42\n",
        }
        stack.site.add_sdist("comparedemo", version, files)
        stack.cli("build", f"comparedemo=={version}", "--progress", "plain")
    name = f"wheelyard-e2e-base:{stack.folder.name}"
    stack.cli("image", "puredemo", "--load", "--engine", engine.name, "--tag", name, "--progress", "plain")
    yield name
    remove_images(engine, name)


@pytest.fixture
def app(stack: Stack, tmp_path: Path) -> Path:
    """The application, whose Dockerfile installs what the cache has."""
    (toolchain,) = [one for one in stack.answer("toolchain", "list") if one["name"] == TOOLCHAIN]
    folder = tmp_path / "small-app"
    folder.mkdir()
    (folder / "requirements.txt").write_text("comparedemo==1.0\n")
    (folder / "image.toml").write_text(SPEC)
    (folder / "main.py").write_text(MAIN.replace(" + WRONG", ""))
    image = toolchain["image"].removeprefix("sha256:")
    (folder / "two-stages.Dockerfile").write_text(DOCKERFILE.format(toolchain=image))
    return folder


def left_behind(engine: CommandEngine) -> list[str]:
    """What comparisons left in the engine, but for bases of Debian packages."""
    command = [*engine.traits.command, "images", "--all", "--format", "{{.Repository}}:{{.Tag}}"]
    labelled = run_command([*command, "--filter", f"label={LABEL}"], timeout=60).split()
    named = [name for name in run_command(command, timeout=60).split() if name.startswith(REPOSITORY)]
    return labelled + [name for name in named if f"{REPOSITORY}/python:" not in name]


def test_both_images_run_on_one_input_and_stand_side_by_side(
    stack: Stack, engine: CommandEngine, base: str, app: Path, tmp_path: Path
):
    page = tmp_path / "comparison.md"
    said = stack.answer(
        "compare", "--app", str(app), "--base", base, "--service-wheels", "--engine", engine.name,
        "--change", "comparedemo==1.1", "--page", str(page),
    )  # fmt: skip
    theirs, ours = said["images"]
    assert (theirs["name"], ours["name"], said["same"]) == ("two-stages", "wheelyard", True)
    assert ours["result"] == theirs["result"] == {"input": "seven", "user": 1000, "answers": [42]}
    assert ours["versions"] == theirs["versions"] == {"comparedemo": "1.0"}
    assert ours["build_tools"] == {}
    assert ours["setuid"] == []
    # One layer with one small wheel, and documents, against a copied folder.
    assert ours["second_bytes"] < 20_000
    assert ours["changed_seconds"] > 0
    assert 10_000_000 < ours["compressed"] < ours["unpacked"]
    assert "| two-stages | wheelyard |" in page.read_text("utf-8")
    ET.fromstring((tmp_path / "comparison.svg").read_text("utf-8"))  # noqa: S314 - it is our own
    assert left_behind(engine) == []
    assert list((stack.folder / "comparisons").iterdir()) == []


def test_images_with_different_results_are_not_compared(
    stack: Stack, engine: CommandEngine, base: str, app: Path
):
    (app / "main.py").write_text(MAIN.replace("WRONG", "2 * ('PYTHONPATH' in os.environ)"))
    said = stack.cli(
        "compare", "--app", str(app), "--base", base, "--service-wheels", "--engine", engine.name, code=1
    )
    assert "another result in wheelyard than in two-stages" in said
    assert "answers[0]" in said
    assert left_behind(engine) == []


def test_an_interrupted_comparison_leaves_nothing_behind(
    stack: Stack, engine: CommandEngine, base: str, app: Path
):
    dockerfile = app / "two-stages.Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("FROM ${BASE}", "RUN sleep 120\nFROM ${BASE}"))
    process = stack.start_cli(
        "compare", "--app", str(app), "--base", base, "--service-wheels", "--engine", engine.name,
        "--only", "two-stages",
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "two-stages" in line:
            break
    time.sleep(5)
    assert process.poll() is None, "it is over before it could be interrupted"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 4, out + err
    assert left_behind(engine) == []
    assert list((stack.folder / "comparisons").iterdir()) == []
