"""What the command line says of workers and limits."""

import json
import time

WORKER = {
    "owner": "build-1/7/abc", "host": "build-1", "pid": 7, "version": "1.0", "queues": ["toolchain.t"],
    "slots": 2, "cores": 4.0, "memory": 16 << 30, "draining": False, "silent": False, "started_at": 1.0,
    "seen_at": 2.0, "age": 1.5, "jobs": [],
}  # fmt: skip


def test_workers_are_a_table_with_what_each_does(command, service):
    job = {
        "id": "a" * 32, "kind": "wheel", "title": "numpy 2", "phase": "compile", "since": time.time() - 65,
    }  # fmt: skip
    service.workers += [
        {**WORKER, "jobs": [job]},
        {**WORKER, "host": "build-2", "silent": True, "age": 99.0},
        {**WORKER, "host": "build-3", "draining": True},
        {**WORKER, "host": "build-4", "queues": ["relay"], "slots": 0, "cores": 0.0, "memory": 0},
    ]
    out = command("workers").out
    states = [line.split()[1] for line in out.splitlines()[1:5]]
    assert states == ["works", "silent", "draining", "idle"]
    assert "1/2" in out.splitlines()[1]
    assert out.splitlines()[-1].split() == ["build-1/7", "a" * 32, "wheel", "compile", "1:05", "numpy", "2"]
    assert len(json.loads(command("workers", "--json").out)) == 4


def test_where_nobody_works_it_says_what_would(command, service):
    assert "wheelyard up" in command("workers").out


def test_limits_go_with_the_request(command, service):
    command(
        "build", "numpy", "--memory", "4G", "--cpus", "1.5", "--disk", "20G", "--timeout", "2h", "--detach"
    )
    (job,) = service.jobs.values()
    assert job.spec["limits"] == {"memory": 4 << 30, "cpus": 1.5, "disk": 20 << 30, "seconds": 7200}


def test_a_limit_without_sense_is_said_with_its_option(command, service):
    ended = command("build", "numpy", "--memory", "lots")
    assert ended.code == 2
    assert "--memory" in ended.err
    assert "such as 4G" in ended.err
