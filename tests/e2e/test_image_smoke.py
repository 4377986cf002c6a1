"""Images are started before anybody gets them, and a Dockerfile makes the same: in real containers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack, stack_with_toolchain
from tests.e2e.made_toolchain import made_toolchain, remove_images
from tests.e2e.projects import PYPROJECT
from tests.index_site import IndexSite
from wheelyard.process import run_command
from worker.engine.command import CommandEngine

pytestmark = pytest.mark.engine

# It is good wherever nobody asks for something else.
MODULE = """\
import os
wish = os.environ.get("SMOKE", "")
if wish == "library":
    import ctypes
    ctypes.CDLL("libGL.so.1")
if wish == "exit":
    os._exit(0)
if wish == "write":
    open(os.path.join(os.path.dirname(__file__), "smokedemo.cache"), "w")
if wish == "network":
    import socket
    socket.create_connection(("192.0.2.1", 80), timeout=5)
if wish == "memory":
    held = b"x" * (1 << 30)
def main():
    print("from a script")
"""
SETUP = """\
from setuptools import setup
setup(name="smokedemo", version="1.0", py_modules=["smokedemo"],
      entry_points={"console_scripts": ["smokedemo = smokedemo:main"]})
"""
MAIN = """\
import importlib.metadata, json, os, sys
import cppdemo, smokedemo
print(json.dumps([cppdemo.total(), os.getuid(), os.getcwd(), sys.argv, os.environ["WORDS"],
                  open("/app/word").read(),
                  sorted(one.metadata["Name"] for one in importlib.metadata.distributions())]))
"""


@pytest.fixture(scope="module")
def stack(
    engine: CommandEngine, site: IndexSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    site.add_sdist(
        "smokedemo", "1.0", {"pyproject.toml": PYPROJECT, "setup.py": SETUP, "smokedemo.py": MODULE}
    )
    with stack_with_toolchain(tmp_path_factory.mktemp("smoke"), engine, site) as running:
        running.cli("cache", "rebuild-db")
        yield running
    tested = running.folder / "data" / "tested-images"
    for place in tested.iterdir() if tested.is_dir() else ():
        engine.drop(place.read_text())


def made(stack: Stack, *arguments: str) -> dict:
    """The image in the answer."""
    lines = stack.cli("image", "smokedemo", *arguments, "--progress", "json").splitlines()
    return next(json.loads(line) for line in reversed(lines) if json.loads(line)["type"] == "result")[
        "result"
    ]


def test_an_image_is_tried_once_and_an_equal_one_is_not_tried_again(stack: Stack):
    check = "import smokedemo, subprocess; print(subprocess.check_output(['smokedemo']))"
    first = made(stack, "--check", check)
    assert first["image"]["smoke_test"]["state"] == "passed"
    assert first["image"]["smoke_test"]["passed"] == ["import smokedemo", "the image's own check"]
    # Another request for the same bytes.
    again = made(stack, "--check", check, "--tag", "smoke/again:1")
    assert again["image"]["manifest_digest"] == first["image"]["manifest_digest"]
    assert again["image"]["smoke_test"] == first["image"]["smoke_test"]
    assert again["phases"]["smoke test"] < min(0.3, first["phases"]["smoke test"])
    left_out = made(stack, "--no-smoke-test", "--env", "SMOKE=exit")
    assert left_out["image"]["smoke_test"]["state"] == "skipped"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("library", ["libGL.so.1", "cannot open shared object file", "--package libgl1 "]),
        ("exit", ["the process ended with status 0 in the middle of it"]),
        ("write", ["Read-only file system", "only /tmp can be written"]),
        ("network", ["Network is unreachable", "needs the network"]),
        ("memory", ["512 MiB", "--memory"]),
    ],
)
def test_what_does_not_work_in_the_image_is_told_and_not_published(stack: Stack, wish: str, words: list[str]):
    tag = f"smoke/{wish}:1"
    said = stack.cli(
        "image", "smokedemo", "--env", f"SMOKE={wish}", "--tag", tag, "--memory", "512M",
        "--progress", "plain", code=1,
    )  # fmt: skip
    for word in ["import smokedemo, of smokedemo-1.0-", *words]:
        assert word in " ".join(said.split()), said
    assert "smoke" in stack.cli("image", "receipt", tag, code=2)


def test_a_check_that_fails_says_its_own_words(stack: Stack):
    said = stack.cli(
        "image", "smokedemo", "--check", "assert 1 == 2, 'one is not two'", "--progress", "plain", code=1
    )
    assert "the image's own check" in said
    assert "one is not two" in said


def test_the_built_dockerfile_prints_the_same_as_the_image(
    stack: Stack, engine: CommandEngine, tmp_path: Path
):
    if engine.name != "podman":
        pytest.skip("the base has to be in the builder's own store")
    folder, app = tmp_path / "build", tmp_path / "app"
    folder.mkdir()
    app.mkdir()
    (app / "main.py").write_text(MAIN)
    (app / "word").write_text("hello")
    ours, theirs = f"smoke-ours:{stack.folder.name}", f"localhost/smoke-theirs:{stack.folder.name}"
    stack.cli(
        "image", "smokedemo", "cppdemo", "--app", str(app), "--entrypoint", "python3 main.py",
        "--cmd", "one 'two  words'", "--env", 'WORDS=a "b" $HOME \\ c', "--label", "team=video $x",
        "--load", "--engine", "podman", "--tag", ours,
        "--dockerfile", str(folder / "Dockerfile"), "--progress", "plain",
    )  # fmt: skip
    assert sorted(path.name.split("-")[0] for path in (folder / "wheelyard" / "wheels").iterdir()) == [
        "cdemo", "cppdemo", "smokedemo",
    ]  # fmt: skip
    pip = tmp_path / "pip"
    pip.mkdir()
    (pip / "Dockerfile").write_text(
        f"FROM {made_toolchain(engine).record.image.removeprefix('sha256:')}\nUSER 0:0\n"
        "RUN echo /opt/wheelyard/lib/python3.11/site-packages > "
        "/usr/local/lib/python3.11/dist-packages/pip.pth\n"
    )
    traits = engine.traits
    limits = [word for word in traits.run_options if word == "--ulimit" or word[0] != "-"]
    build = [*traits.command, "build", "--quiet", "--layers=false", "--network", "none", *limits]
    base = run_command([*build, str(pip)], timeout=300).strip()
    try:
        run_command([*build, "--build-arg", f"BASE={base}", "--tag", theirs, str(folder)], timeout=300)
        run = [*traits.command, "run", "--rm", "--network", "none", "--read-only", *traits.run_options]
        said = [json.loads(run_command([*run, tag], timeout=120)) for tag in (ours, theirs)]
        form = "{{json .Config.Labels}}"
        labels = run_command([*traits.command, "image", "inspect", "--format", form, theirs], timeout=60)
    finally:
        remove_images(engine, theirs, f"localhost/{ours}", base)
    *first, names = said[0]
    assert said[1][:-1] == first
    assert set(names) <= set(said[1][-1])
    assert first == [
        "6", 1000, "/app", ["main.py", "one", "two  words"], 'a "b" $HOME \\ c', "hello"
    ]  # fmt: skip
    assert json.loads(labels)["team"] == "video $x"
