"""The live display on a real terminal, which tmux keeps for us."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid

import pytest

from tests.fake_service import wheel_document
from tests.integration.cli.conftest import ROOT
from wheelyard.errors import Cancelled

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One terminal of a tmux server of our own."""

    def __init__(self, folder, width, height):
        self._base = ["tmux", "-S", str(folder / "tmux.sock")]
        self._name = uuid.uuid4().hex[:8]
        size = ["-x", str(width), "-y", str(height)]
        self._run("-f", os.devnull, "new-session", "-d", "-s", self._name, *size, "env", "-u", "CI", "sh")

    def _run(self, *arguments):
        return subprocess.run(
            [*self._base, *arguments], check=True, capture_output=True, text=True, timeout=20
        ).stdout

    def type(self, *keys):
        self._run("send-keys", "-t", self._name, *keys)

    def resize(self, width, height):
        self._run("resize-window", "-t", self._name, "-x", str(width), "-y", str(height))

    def screen(self):
        return self._run("capture-pane", "-t", self._name, "-p")

    def wait_for(self, *texts, seconds=30):
        limit = time.monotonic() + seconds
        while True:
            shown = self.screen()
            if all(text in shown for text in texts):
                return shown
            assert time.monotonic() < limit, shown
            time.sleep(0.1)

    def close(self):
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path):
    made = Terminal(tmp_path, 100, 24)
    yield made
    made.close()


@pytest.fixture
def build_line(service, tmp_path):
    variables = {"WHEELYARD_URL": service.url, "WHEELYARD_DATA_DIR": str(tmp_path), "LANG": "C.UTF-8"}
    assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    program = f"{assignments} {shlex.quote(sys.executable)} -m wheelyard build numpy"
    return f"cd {shlex.quote(str(ROOT))}; clear; {program}; echo ended with $?"


def compile_in_steps(pause):
    def worker(service, job):
        child = service.add_child(job, "wheel", "numpy 2.4.6")
        service.say(job, "phase", name="waiting")
        service.say(child, "phase", name="compile")
        for done in range(1, 101):
            if job.cancel_requested:
                service.fail(child, Cancelled("numpy was cancelled"))
                service.fail(job, Cancelled("numpy was cancelled"))
                return
            service.say(child, "step", done=done, total=100, text=f"\x1b[31mpart {done}\x1b[2J")
            time.sleep(pause)
        service.succeed(child, {})
        wheel = wheel_document("numpy", "2.4.6", hit=False)
        service.succeed(job, {"lock": "", "wheels": [wheel], "seconds": 10})

    return worker


def test_shows_a_bar_with_steps_and_time_left_and_ends_with_the_table(service, terminal, build_line):
    service.worker = compile_in_steps(0.12)
    terminal.type(build_line, "Enter")
    shown = terminal.wait_for("numpy 2.4.6", "compile", "/100", "left", "━", "part ")
    assert "0 of 1 done" in shown
    shown = terminal.wait_for("ended with 0", seconds=60)
    assert "✓ numpy 2.4.6  built" in shown
    assert "pip install --index-url" in shown
    assert "left" not in shown


def test_a_smaller_window_is_drawn_smaller(service, terminal, build_line):
    service.worker = compile_in_steps(0.2)
    terminal.type(build_line, "Enter")
    terminal.wait_for("numpy 2.4.6", "/100")
    terminal.resize(50, 10)
    time.sleep(1)
    lines = [line for line in terminal.screen().splitlines() if "/100" in line]
    assert len(lines) == 1
    assert len(lines[0]) <= 50


def test_ctrl_c_cancels_and_leaves_a_usable_terminal(service, terminal, build_line):
    service.worker = compile_in_steps(0.2)
    terminal.type(build_line, "Enter")
    terminal.wait_for("numpy 2.4.6", "/100")
    terminal.type("C-c")
    shown = terminal.wait_for("ended with 4")
    assert "cancelling; Ctrl-C again leaves at once" in shown
    assert "error: numpy was cancelled" in shown
    terminal.type("echo still $((40 + 2))", "Enter")
    terminal.wait_for("still 42")
