"""A project's pyproject.toml: dependencies, extras, groups, and what only its backend knows."""

from __future__ import annotations

import pytest

from wheelyard.errors import InputError
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.pyproject import read_pyproject

TEXT = """\
[project]
name = "My_App"
version = "1.0"
dependencies = ["numpy>=2", "pillow"]

[project.optional-dependencies]
Video = ["opencv-python-headless"]
audio = ["soundfile"]
all = ["my-app[video,audio]", "tqdm"]
old = ["my.app[video]; python_version < '3.12'"]
round = ["my-app[round]", "six"]

[dependency-groups]
test = ["pytest", {include-group = "base"}]
base = ["coverage>=7"]
circle = [{include-group = "back"}]
back = [{include-group = "circle"}]
"""


def read(text=TEXT, extras=(), groups=()):
    wanted = read_pyproject(text, "pyproject.toml", Choice.of(extras, groups))
    return sorted(str(line.requirement) for line in wanted.requirements)


def test_gives_what_the_project_needs():
    assert read() == ["numpy>=2", "pillow"]


def test_gives_extras_in_any_spelling():
    assert read(extras=["VIDEO"]) == ["numpy>=2", "opencv-python-headless", "pillow"]


def test_an_extra_may_stand_for_others_of_the_same_project():
    assert read(extras=["all"]) == ["numpy>=2", "opencv-python-headless", "pillow", "soundfile", "tqdm"]
    assert read(extras=["round"]) == ["numpy>=2", "pillow", "six"]
    assert 'opencv-python-headless; python_version < "3.12"' in read(extras=["old"])


def test_gives_dependency_groups_with_what_they_include():
    assert read(groups=["Test"]) == ["coverage>=7", "numpy>=2", "pillow", "pytest"]


def test_groups_need_no_project():
    assert read('[dependency-groups]\ntest = ["pytest"]\n', groups=["test"]) == ["pytest"]


@pytest.mark.parametrize(
    ("text", "choice", "words", "do"),
    [
        (TEXT.replace('dependencies = ["numpy>=2", "pillow"]', 'dynamic = ["dependencies"]'), {},
         "the dependencies of the project are dynamic", "pip-compile"),
        (TEXT, {"extras": ["nothing"]}, "no extra nothing", "--extra"),
        (TEXT, {"groups": ["nothing"]}, r"\[dependency-groups\] nothing can't be read", "--group"),
        (TEXT, {"groups": ["circle"]}, "circle can't be read", "--group"),
        ("[build-system]\nrequires = []\n", {}, r"no \[project\] table", "--group"),
        ("[tool.poetry]\nname = 'x'\n", {}, r"no \[project\] table", "poetry export"),
        (TEXT.replace('"pillow"]', '"pillow @ https://example.org/x.tar.gz"]'), {}, "names an address", ""),
        (TEXT.replace('"pillow"]', '"two words"]'), {}, "can't be read as a requirement", ""),
        (TEXT.replace('["numpy>=2", "pillow"]', '"numpy"'), {}, "no list of requirements", ""),
        (TEXT.replace('["numpy>=2", "pillow"]', "[]"), {}, "asks for nothing", "--extra"),
        (TEXT + "[tool.uv.sources]\npillow = { path = 'x' }\n", {}, "another source for pillow", "uv.lock"),
        (TEXT.replace("[project]", "[project"), {}, "can't be read", ""),
    ],
)  # fmt: skip
def test_what_a_file_does_not_say_by_itself_is_refused_with_the_way_on(text, choice, words, do):
    with pytest.raises(InputError, match=words) as raised:
        read(text, **choice)
    assert "pyproject.toml" in raised.value.failed
    assert do in raised.value.do


def test_a_circle_of_groups_is_told_as_one():
    with pytest.raises(InputError) as raised:
        read(groups=["circle"])
    assert "Cyclic" in raised.value.found
