"""Processes are known by more than their number."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from wheelyard.errors import InfrastructureError
from wheelyard.stack.processes import RUN_VARIABLE, Identity, end, members, spawn, wait_gone
from wheelyard.stack.program import Program

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
)


def start(tmp_path, argv, **environment):
    with (tmp_path / "log").open("ab") as log:
        return spawn(Program(name="p", argv=argv, cwd=tmp_path), log, os.environ | environment)


def known(process) -> Identity:
    identity = Identity.of(process.pid)
    assert identity is not None
    return identity


@pytest.fixture
def sleeper(tmp_path):
    process = start(tmp_path, SLEEP, **{RUN_VARIABLE: "run-1"})
    yield process
    process.kill()
    process.wait()


def test_knows_itself():
    own = Identity.of(os.getpid())
    assert own is not None
    assert own.is_alive()
    assert Identity.from_document(own.to_document()) == own


def test_another_process_with_the_same_number_is_another(sleeper):
    identity = known(sleeper)
    other = dataclasses.replace(identity, start=identity.start + 1)
    assert not other.is_alive()
    other.signal(signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_process_that_ended_is_gone_even_before_it_is_reaped(sleeper):
    identity = known(sleeper)
    sleeper.kill()
    assert wait_gone([identity], 5)
    assert Identity.of(sleeper.pid) is None


def test_a_program_leads_its_own_group_and_dies_with_its_parent(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from wheelyard.stack.processes import spawn;"
        f"from wheelyard.stack.program import Program; p = Program(name='p', argv={SLEEP!r}, cwd=Path('/'));"
        "p = spawn(p, open(os.devnull, 'wb'), dict(os.environ));"
        "assert os.getpgid(p.pid) == p.pid; print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    child = Identity.of(int(done.stdout))
    assert child is None or wait_gone([child], 5)


def test_members_are_the_leader_and_those_of_the_same_run(sleeper):
    identity = known(sleeper)
    assert members(identity, "run-1") == [identity]
    assert members(identity, "another run") == [identity]
    gone = dataclasses.replace(identity, start=1)
    assert members(gone, "another run") == []


def test_ends_a_process_and_says_whom_it_had_to_kill(tmp_path, sleeper, until):
    stubborn = start(tmp_path, STUBBORN)
    until(lambda: (tmp_path / "log").read_text() == "1\n")
    identities = [known(sleeper), known(stubborn)]
    assert end(identities, 0.5) == [identities[1]]
    assert stubborn.wait(5) == -signal.SIGKILL
    assert sleeper.wait(5) == -signal.SIGTERM


def test_a_program_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InfrastructureError, match="could not be started"):
        start(tmp_path, (str(tmp_path / "none"),))
