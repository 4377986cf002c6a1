"""`wheelyard up` as its users run it: the command line, the real front door, workers and relay."""

from __future__ import annotations

import signal

import httpx2
import pytest

from wheelyard.stack import stop_stack

COMMAND = ["-c", "from wheelyard.cli.app import main; main()", "up"]


@pytest.fixture
def up(ups):
    return ups(program=COMMAND).start()


def get(url: str, token: str = "") -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url, headers=headers, timeout=30, trust_env=False)


def test_everything_answers_and_ends(up, until):
    running = up.ready(180)
    assert get(f"{running.url}/healthz").status_code == 200
    assert get(f"{running.url}/readyz").status_code == 200
    assert get(f"{running.url}/simple/", running.token).status_code == 200
    assert get(f"{running.url}/v1/toolchains", running.token).status_code == 200
    refused = httpx2.post(f"{running.url}/v1/builds", json={"requirements": ["six"]}, trust_env=False)
    assert refused.status_code == 401
    logs = up.settings.data_dir / "log"
    for worker in ("plans", "compile"):
        until(lambda log=logs / f"{worker}.log": "[queues]" in log.read_text(), seconds=60)
    up.signal(signal.SIGINT)
    assert up.ended() == 0
    assert "did not end in time" not in up.output()
    assert " ended with " not in up.output()


def test_starts_again_after_a_kill_and_down_ends_it(up, ups):
    token = up.ready(180).token
    up.signal(signal.SIGKILL)
    up.ended()
    again = ups(program=COMMAND).start()
    assert again.ready(180).token == token
    assert stop_stack(again.settings) == 0
    assert again.ended(5) == 0
