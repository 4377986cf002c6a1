"""`wheelyard compare` on the command line: what is refused at once, and the errors of its program."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

SPEC = 'requirement_files = ["requirements.txt"]\ntoolchain = "debian13-cp313"\n'


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "requirements.txt").write_text("numpy\n")
    (folder / "image.toml").write_text(SPEC)
    (folder / "one.Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    return folder


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `podman` that answers nothing but what is wrong with it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "podman"
    program.write_text("#!/bin/sh\necho 'the storage is on fire' >&2\nexit 125\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


def refused(command, *arguments: str) -> str:
    ended = command("compare", *arguments)
    assert ended.code == 2, ended
    return ended.err


def test_a_folder_without_requirements_is_no_application(command, tmp_path: Path):
    (tmp_path / "image.toml").write_text(SPEC)
    assert "no application that can be compared" in refused(command, "--app", str(tmp_path))


def test_an_image_that_nobody_knows_can_not_be_chosen(command, app: Path):
    assert "one, wheelyard" in refused(command, "--app", str(app), "--only", "two")


def test_a_change_that_our_spec_would_not_see_is_refused(command, app: Path):
    (app / "image.toml").write_text('requirements = ["numpy"]\n')
    said = refused(command, "--app", str(app), "--change", "numpy==2.0.0")
    assert 'requirement_files = ["requirements.txt"]' in said


def test_a_dockerfile_needs_a_name_and_a_file(command, app: Path):
    assert "is not a name and a file" in refused(command, "--app", str(app), "--dockerfile", "Dockerfile")
    assert "is not a file" in refused(command, "--app", str(app), "--dockerfile", "a=nowhere")


def test_a_page_goes_only_into_a_folder_that_is_there(command, app: Path, tmp_path: Path):
    page = tmp_path / "none" / "page.md"
    assert "does not exist" in refused(command, "--app", str(app), "--page", str(page))


def test_what_the_program_says_failed_is_what_the_command_says(command, app: Path, engine: Path):
    ended = command("compare", "--app", str(app), "--engine", "podman", "--json")
    assert ended.code == 3
    error = json.loads(ended.out or ended.err)
    assert "the storage is on fire" in json.dumps(error)
