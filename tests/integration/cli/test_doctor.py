import json
import sys

import pytest


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Stands in for `python -m worker.doctor`, whose own tests look at the real machine."""

    def with_findings(text, code):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return with_findings


def test_says_that_the_service_answers_and_what_the_machine_can_do(command, service, machine):
    machine("ok      engine: podman 4.3.1 (runc)", 0)
    ended = command("doctor")
    assert ended.code == 0
    assert ended.out == f"ok      service: {service.url} answers\nok      engine: podman 4.3.1 (runc)\n"


def test_a_machine_that_can_not_build_ends_with_three(command, machine):
    machine("failed  engine: none", 3)
    assert command("doctor").code == 3


def test_a_known_service_that_is_silent_ends_with_three(command, machine, monkeypatch):
    monkeypatch.setenv("WHEELYARD_URL", "http://127.0.0.1:9")
    machine("ok", 0)
    ended = command("doctor")
    assert ended.code == 3
    assert "failed  service: the service at http://127.0.0.1:9 does not answer" in ended.out


def test_no_service_at_all_is_no_failure(command, machine, monkeypatch):
    monkeypatch.delenv("WHEELYARD_URL")
    machine("ok", 0)
    ended = command("doctor")
    assert ended.code == 0
    assert "none    service" in ended.out


def test_json_is_one_document(command, service, machine):
    machine('[{"name": "engine", "ok": true}]', 0)
    document = json.loads(command("doctor", "--json").out)
    assert document["service"]["answers"] is True
    assert document["machine"] == [{"name": "engine", "ok": True}]


def test_a_worker_that_says_nonsense_is_infrastructure(command, machine):
    machine("nonsense", 0)
    assert command("doctor", "--json").code == 3
