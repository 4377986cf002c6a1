"""The command line against the real front door, with a test in the worker's place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time

import pytest

from tests.contract.test_service import TOKEN, real_world
from tests.fake_service import wheel_document
from wheelyard.cli.app import run
from wheelyard.errors import BuildFailed


@pytest.fixture
def world(request, monkeypatch, own_machine):
    with real_world(request) as made:
        monkeypatch.setenv("WHEELYARD_URL", made.url)
        monkeypatch.setenv("WHEELYARD_TOKEN", TOKEN)
        yield made


def work_on_the_next_job(world, ending):
    """Take the first job that comes, and end it as it is said."""

    def work():
        limit = time.monotonic() + 30
        while not (queued := world.services.ledger.latest(1)) and time.monotonic() < limit:
            time.sleep(0.05)
        job_id = queued[0].id
        world.say(job_id, "phase", name="resolve")
        child = world.add_child(job_id, "numpy 2.4.6")
        world.say(child, "phase", name="compile")
        for done in range(1, 21):
            world.say(child, "step", done=done, total=20, text=f"part {done}")
        world.succeed(child, {})
        ending(job_id)

    threading.Thread(target=work, daemon=True).start()


def test_a_build_is_followed_to_its_table(world, capsys):
    wheel = wheel_document("numpy", "2.4.6", hit=False)
    result = {"lock": "", "wheels": [wheel], "seconds": 12.5}
    work_on_the_next_job(world, lambda job_id: world.succeed(job_id, result))
    code = run(["build", "numpy", "--progress", "plain"])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "numpy 2.4.6: compile 20/20 (100%)" in out
    assert wheel["filename"] in out
    assert run(["build", "numpy", "--progress", "quiet"]) == 0


def test_a_failed_build_keeps_its_error_and_code(world, capsys):
    error = BuildFailed("numpy 2.4.6: the phase compile failed", found="x.c:1:1: error: no", do="mend it")
    work_on_the_next_job(world, lambda job_id: world.fail(job_id, error))
    code = run(["build", "numpy", "--progress", "json"])
    out, err = capsys.readouterr()
    assert code == 1
    assert json.loads(err.splitlines()[-1])["found"] == error.found
    # The service runs in this process, and its own log is among the lines.
    documents = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert documents[-1]["type"] == "done"


def test_what_the_service_refuses_is_wrong_input(world, capsys):
    assert run(["build", "numpy", "--toolchain", "debian12-cp399"]) == 2
    assert "wheelyard toolchain list" in capsys.readouterr().err
    assert run(["job", "not-an-id"]) == 2
    assert run(["--token", "another", "build", "numpy"]) == 2


def test_a_wait_ends_when_pip_can_install_the_lock(world, capsys, tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text("tiny-thing==1.0\nother-thing==2.0\n")
    world.publish("other_thing-2.0-py3-none-any.whl")

    def build(job_id):
        job = world.services.ledger.get(job_id)
        assert job.spec["requirements"] == ["tiny-thing==1.0"]
        world.publish("tiny_thing-1.0-py3-none-any.whl")
        world.succeed(job_id, {"lock": "", "wheels": [], "seconds": 1.0})

    work_on_the_next_job(world, build)
    written = tmp_path / "here.txt"
    code = run(["wait", "-r", str(lock), "--write-lock", str(written), "--json", "--progress", "quiet"])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert written.read_text().count("--hash=sha256:") == 2
    # The service runs in this process, and its own log is among the lines.
    line = re.search(r'"install": "(pip install .*)"', out)
    assert line is not None
    words = [sys.executable, "-m", *line[1].split(), "--target", str(tmp_path / "site"), "--isolated"]
    done = subprocess.run(
        [*words, "--no-cache-dir"], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tiny_thing.py").exists()
    assert run(["wait", "-r", str(written), "--dry-run"]) == 0
    assert "2 ready" in capsys.readouterr().out
