"""The video application itself, with wheels of pip's own index: the same result however it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wheelyard.comparison.figures import differences
from wheelyard.process import run_command

APP = Path(__file__).parents[2] / "examples" / "video-app"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what the application needs."""
    folder = tmp_path_factory.mktemp("video")
    run_command([sys.executable, "-m", "venv", "--without-pip", str(folder)], timeout=60)
    interpreter = folder / "bin" / "python"
    run_command(
        [
            *(sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet"),
            *("--only-binary", ":all:", "--requirement", str(APP / "headless-requirements.txt"), "moviepy"),
        ],
        timeout=600,
    )
    return interpreter


def run(python: Path, *arguments: str, path: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [str(python), str(APP / "main.py"), *arguments],
        capture_output=True, text=True, timeout=120, check=False, env={"PATH": path, "HOME": os.devnull},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_it_makes_a_clip_once_and_says_the_same_each_time(python: Path, tmp_path: Path):
    clip = tmp_path / "clip.avi"
    first = run(python, str(clip))
    made = clip.read_bytes()
    assert run(python, str(clip)) == first
    assert clip.read_bytes() == made
    assert (first["result"]["frames"], first["result"]["found"]) == (48, 48)
    assert (first["result"]["width"], first["result"]["height"]) == (320, 180)
    assert first["versions"]["written by"] == "OpenCV"
    # It drew: half of the cells would be as dark as the waves otherwise, and all alike.
    assert max(first["result"]["fingerprint"]) - min(first["result"]["fingerprint"]) > 20


def test_moviepy_writes_what_opencv_writes_within_the_tolerance(python: Path, tmp_path: Path):
    found = run_command(
        [str(python), "-c", "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"], timeout=60
    )
    (tmp_path / "ffmpeg").symlink_to(found.strip())
    clip = str(tmp_path / "clip.avi")
    opencv, moviepy = run(python, clip), run(python, clip, path=str(tmp_path))
    assert moviepy["versions"]["written by"].startswith("moviepy")
    assert differences(opencv["result"], moviepy["result"], opencv["tolerance"]) == ()


def test_it_runs_where_it_may_write_nothing_but_its_own_folder(python: Path, tmp_path: Path):
    there = tmp_path / "missing" / "clip.avi"
    assert run(python, str(there))["result"]["frames"] == 48
    assert not there.exists()
