"""What `build`, `plan` and `image` send for files of every kind, and what they say of wrong ones."""

from __future__ import annotations

import pytest

from tests.user_locks import COMMIT, OTHER, PYLOCK, SDIST, UV_LOCK

PYPROJECT = """\
[project]
name = "app"
dependencies = ["tqdm"]
optional-dependencies.video = ["numpy>=2"]
[dependency-groups]
test = ["six"]
"""


@pytest.fixture
def file(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def sent(service, command):
    """Runs a command that leaves at once, and gives the request that the service got."""

    def send(*arguments):
        ended = command(*arguments, "--detach")
        assert ended.code == 0, ended.err
        return service.jobs[ended.out.strip()].spec

    return send


def test_files_constraints_and_choices_become_one_request(sent, file):
    spec = sent(
        "build", "pillow", "-r", file("pyproject.toml", PYPROJECT), "--extra", "Video", "--group", "test",
        "--constraint", file("limits.txt", "numpy<3\n"), "--build-deps", "source", "--variant", "numpy=fast",
    )  # fmt: skip
    assert spec["requirements"] == ["numpy>=2", "pillow", "six", "tqdm"]
    assert (spec["constraints"], spec["build_deps"], spec["variants"]) == (
        ["numpy<3"], "source", {"numpy": "fast"},
    )  # fmt: skip
    assert "hashes" not in spec


def test_a_lock_becomes_pins_with_markers_constraints_and_hashes(sent, file):
    spec = sent("build", "-r", file("uv.lock", UV_LOCK), "--locked")
    assert spec["requirements"] == [
        'numpy==1.26.4; python_full_version < "3.11"',
        'numpy==2.4.6; python_full_version >= "3.11"',
        "requests[socks]==2.32.5",
    ]
    assert "idna==3.11" in spec["constraints"]
    assert spec["hashes"]["requests"] == [str(SDIST)]


def test_an_image_takes_the_same_inputs(sent, file):
    spec = sent("image", "-r", file("pylock.toml", PYLOCK), "--extra", "video", "--group", "test")
    assert spec["hashes"] == {"pytest": [str(OTHER)], "requests": [str(SDIST)]}
    assert any(COMMIT in text for text in spec["requirements"])


def test_a_project_of_this_folder_is_asked_for_by_a_dot(sent, file, tmp_path, monkeypatch):
    file("pyproject.toml", PYPROJECT)
    monkeypatch.chdir(tmp_path)
    assert sent("build", ".")["requirements"] == ["tqdm"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("requirements.txt", "numpy\n-e .\n", "requirements.txt, line 2"),
        ("uv.lock", UV_LOCK.replace("sdist = ", "sdists = "), "uv.lock has no sdist of idna 3.11"),
        (
            "pyproject.toml",
            PYPROJECT.replace("dependencies =", "dynamic = ['dependencies']\nold =", 1),
            "dynamic",
        ),
        ("poetry.lock", "x", "poetry export"),
    ],
)
def test_a_wrong_file_is_told_before_anything_is_sent(service, command, file, name, text, words):
    ended = command("build", "-r", file(name, text))
    assert ended.code == 2
    assert words in ended.err
    assert service.jobs == {}


def test_what_is_open_is_refused_where_a_lock_was_asked_for(command, file):
    ended = command("build", "-r", file("requirements.txt", "numpy==2.4.6\n"), "--locked")
    assert ended.code == 2
    assert "line 1: numpy==2.4.6 is not locked" in ended.err
    assert "generate-hashes" in ended.err


def test_a_pylock_is_waited_for_without_being_installed_from(command, file):
    path = file("pylock.toml", PYLOCK)
    ended = command("wait", "-r", path)
    assert ended.code == 2
    assert "--write-lock" in ended.err
    told = command("wait", "-r", path, "--dry-run", "--toolchain", "debian12-cp311")
    assert told.code == 0, told.err
    assert [line.split()[:3] for line in told.out.splitlines()[1:3]] == [
        ["requests", "2.32.5", "missing"],
        ["pywin32", "311", "not"],
    ]


def test_other_locks_are_turned_into_ones_that_can_be_waited_for(command, file):
    ended = command("wait", "-r", file("uv.lock", UV_LOCK))
    assert ended.code == 2
    assert "uv export" in ended.err
