"""The main job on small projects, through the command line, in real containers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from worker.engine.contract import Engine


def built(stack: Stack, *requirements: str) -> list[dict]:
    """Build, and give the wheels of the answer."""
    last = json.loads(stack.cli("build", *requirements, "--progress", "json").splitlines()[-1])
    assert last["type"] == "result"
    return last["result"]["wheels"]


def test_a_c_and_a_cpp_extension_are_built_and_installed_by_pip(stack: Stack, tmp_path: Path):
    wheels = built(stack, "cppdemo")
    assert [wheel["project"] for wheel in wheels] == ["cdemo", "cppdemo"]
    assert all("manylinux_2_36_x86_64" in wheel["filename"] for wheel in wheels)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--isolated",
         "--index-url", f"{stack.url}/simple/", "cppdemo"],
        check=True, timeout=120, env={"PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    code = "import cdemo, cppdemo; print(cdemo.answer(), cppdemo.total())"
    said = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert said == "42 6\n" or sys.version_info[:2] != (3, 11)


def test_a_wheel_whose_optional_extension_did_not_compile_is_named_and_warned_of(stack: Stack):
    """As of pyyaml without libyaml: auditwheel refuses a wheel for a platform that holds no machine code."""
    last = json.loads(stack.cli("build", "halfdemo", "--progress", "json").splitlines()[-1])
    (wheel,) = last["result"]["wheels"]
    assert "manylinux_2_36_x86_64" in wheel["filename"]
    jobs = stack.answer("jobs")
    made = next(job for job in jobs if job["kind"] == "wheel" and job["title"].startswith("halfdemo"))
    assert "holds no machine code" in stack.cli("logs", made["id"])


def test_the_same_request_again_is_answered_from_the_cache(stack: Stack):
    first = built(stack, "cdemo")
    jobs = {job["id"] for job in stack.answer("jobs")}
    again = built(stack, "cdemo")
    assert {job["id"] for job in stack.answer("jobs")} == jobs
    assert [wheel["digest"] for wheel in again] == [wheel["digest"] for wheel in first]
    refreshed = json.loads(stack.cli("build", "cdemo", "--refresh", "--progress", "json").splitlines()[-1])
    assert [wheel["hit"] for wheel in refreshed["result"]["wheels"]] == [True]


def test_the_record_names_every_input_of_the_key(stack: Stack):
    wheel = built(stack, "cdemo")[0]
    shown = stack.answer("cache", "show", "cdemo")
    text = json.dumps(shown)
    assert wheel["build_key"] in text
    for field in ("sdist", "toolchain", "build_wheels", "target", "recipe_format", "config_settings"):
        assert field in text


def test_a_compile_has_no_network_no_root_no_capability_and_no_secret(stack: Stack):
    assert [wheel["project"] for wheel in built(stack, "nosydemo")] == ["nosydemo"]


def test_a_failed_compile_names_the_first_error_and_the_debian_package(stack: Stack):
    said = stack.cli("build", "brokendemo", "--progress", "plain", code=1)
    assert "libavcodec/avcodec.h: No such file or directory" in said
    assert "libavcodec-dev" in said
    assert "wheelyard logs" in said


def test_the_log_of_a_failed_build_opens_at_the_first_error_of_its_wheel(stack: Stack):
    said = stack.cli("build", "brokendemo", "--progress", "plain", code=1)
    wheel = said.split("wheelyard logs ")[1].split()[0]
    build = next(job["id"] for job in stack.answer("jobs") if job["kind"] == "build")
    opened = stack.cli("logs", build).splitlines()
    assert f"/v1/jobs/{wheel}/log" in opened[0]
    assert any("libavcodec/avcodec.h: No such file" in line for line in opened[1:8])
    whole = stack.cli("logs", wheel, "--all").splitlines()
    assert whole[-len(opened) + 1 :] == opened[1:]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuchproject"], "nosuchproject"),
        (["wheelonly"], "sdist"),
        (["futuredemo"], "3.99"),
        (["cdemo==9.9"], "9.9"),
        (["cdemo @ https://example.invalid/x.tar.gz"], "address"),
        (["./cdemo"], "cdemo can't be read"),
        (["cdemo", "--toolchain", "nosuch"], "toolchain"),
        (["cdemo", "--channel", "../x"], "channel"),
    ],
)
def test_wrong_input_is_said_plainly_and_ends_with_two(stack: Stack, arguments: list[str], words: str):
    assert words in stack.cli("build", *arguments, "--progress", "plain", code=2)


def test_an_sdist_whose_hash_is_not_the_indexs_is_refused(stack: Stack):
    said = stack.cli("build", "liardemo", "--progress", "plain", code=1)
    assert "0" * 64 in said


def test_ctrl_c_in_a_compile_leaves_nothing_running(stack: Stack, engine: Engine):
    process = stack.start_cli("build", "slowdemo", "--progress", "plain")
    deadline = time.monotonic() + 120
    job = ""
    while time.monotonic() < deadline and not job:
        jobs = stack.answer("jobs")
        jobs = jobs if isinstance(jobs, list) else jobs["jobs"]
        job = next((j["id"] for j in jobs if j["title"] == "slowdemo 1.0" and j["phase"] == "compile"), "")
        time.sleep(0.5)
    assert job, "the compile never began"
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 4
    deadline = time.monotonic() + 10
    while any(one.job == job for one in engine.containers()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(one.job == job for one in engine.containers())
    assert stack.answer("job", job)["state"] == "cancelled"
