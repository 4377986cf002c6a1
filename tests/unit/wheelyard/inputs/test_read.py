"""Files of every kind are told apart by name and content, and taken together."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.user_locks import PYLOCK, UV_LOCK
from wheelyard.errors import InputError
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.read import read_inputs

PYPROJECT = "[project]\nname = 'app'\ndependencies = ['tqdm']\noptional-dependencies.x = ['six']\n"


@pytest.fixture
def file(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    return write


def projects(wanted):
    return sorted({line.project for line in wanted.requirements})


@pytest.mark.parametrize("name", ["uv.lock", "some.lock", "lock.txt"])
def test_a_lock_of_uv_is_known_under_any_name(file, name):
    assert projects(read_inputs([], [file(name, UV_LOCK)])) == ["numpy", "requests"]


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.dev.toml", "lock.toml"])
def test_a_pylock_is_known_under_any_name(file, name):
    assert projects(read_inputs([], [file(name, PYLOCK)])) == ["pywin32", "requests"]


def test_a_project_is_its_file_or_its_folder(file):
    path = file("app/pyproject.toml", PYPROJECT)
    for wanted in (
        read_inputs([], [path]),
        read_inputs([], [path.parent]),
        read_inputs([str(path.parent)], []),
        read_inputs([], [file("app/other.toml", PYPROJECT)]),
    ):
        assert projects(wanted) == ["tqdm"]


def test_arguments_files_and_constraints_are_taken_together(file):
    wanted = read_inputs(
        ["numpy>=2"],
        [file("a.txt", "pillow\n"), file("pyproject.toml", PYPROJECT)],
        [file("limits.txt", "pillow<12\n")],
        Choice.of(["x"], []),
    )
    assert projects(wanted) == ["numpy", "pillow", "six", "tqdm"]
    assert [str(line.requirement) for line in wanted.constraints] == ["pillow<12"]


def test_contradictions_between_files_are_left_to_the_resolver(file):
    wanted = read_inputs(["numpy<2"], [file("a.txt", "numpy>=2\n")])
    assert len(wanted.requirements) == 2


@pytest.mark.parametrize("name", ["poetry.lock", "Pipfile.lock", "setup.py", "pdm.lock"])
def test_files_of_other_tools_are_refused_with_their_way_here(file, name):
    with pytest.raises(InputError, match="not read here") as raised:
        read_inputs([], [file(name, "x")])
    assert "lock" in raised.value.do


def test_a_file_in_the_place_of_a_requirement_is_told(file, monkeypatch, tmp_path):
    file("requirements.txt", "numpy\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is a file") as raised:
        read_inputs(["requirements.txt"], [])
    assert raised.value.do == "give it with `-r requirements.txt`"


def test_an_extra_of_nothing_is_refused(file):
    with pytest.raises(InputError, match="--extra and --group"):
        read_inputs(["numpy"], [file("a.txt", "pillow\n")], (), Choice.of(["x"], []))


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"without a pyproject\.toml"):
        read_inputs([], [tmp_path])


def test_nothing_at_all_is_refused(file):
    with pytest.raises(InputError, match="no requirement was given"):
        read_inputs([], [])
    with pytest.raises(InputError, match="no requirement was given"):
        read_inputs([], [], [file("limits.txt", "numpy<3\n")])
    with pytest.raises(InputError, match="can't be read"):
        read_inputs([], [Path("/nowhere/requirements.txt")])


def test_requirements_come_through_a_pipe_as_well(tmp_path):
    """As `-r <(uv export …)` gives them: what is read there once is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("numpy>=2\n",), daemon=True)
    writer.start()
    assert projects(read_inputs([], [pipe])) == ["numpy"]
