import json

import pytest

from tests.fake_service import wheel_document
from wheelyard.errors import BuildFailed


@pytest.fixture
def built(service):
    for project, version, channel in (
        ("numpy", "2.4.6", "default"),
        ("numpy", "2.4.5", "team"),
        ("pillow", "12.0.0", "default"),
    ):
        wheel = wheel_document(project, version, hit=False)
        service.wheels.append(
            {**wheel, "channel": channel, "requires_python": ">=3.11", "published_at": 1_764_000_000.0}
        )
    return service


@pytest.fixture
def jobs(service):
    done = service.add_job("build", "numpy", {"toolchain": "debian12-cp311"})
    service.say(done, "phase", name="compile")
    service.say(done, "line", text="\x1b[32mgreen\x1b[0m")
    service.say(done, "line", text="::warning::foreign")
    service.succeed(done, {"lock": "", "wheels": [wheel_document("numpy", "2.4.6", hit=True)], "seconds": 1})
    failed = service.add_job("build", "scipy")
    service.fail(service.add_child(failed, "wheel", "scipy 1.17"), BuildFailed("scipy: it failed"))
    service.fail(failed, BuildFailed("scipy: it failed", found="no Fortran"))
    return done, failed


def test_jobs_are_a_table_or_json(command, jobs):
    out = command("jobs").out
    assert out.splitlines()[0].split() == ["ID", "KIND", "STATE", "ASKED", "TOOK", "TITLE"]
    assert all(job.id in out for job in jobs)
    assert len(json.loads(command("jobs", "--json").out)) == 3


def test_a_job_shows_its_result(command, jobs):
    out = command("job", jobs[0].id).out
    assert "succeeded" in out
    assert "numpy-2.4.6-cp311" in out
    assert json.loads(command("job", jobs[0].id, "--json").out)["id"] == jobs[0].id


def test_a_failed_job_shows_its_error_and_what_it_waited_for(command, jobs):
    ended = command("job", jobs[1].id)
    assert ended.code == 0
    assert "error: scipy: it failed" in ended.out
    assert "scipy 1.17" in ended.out


def test_a_queued_job_shows_its_place_and_who_asked(command, service):
    job = service.add_job("build", "numpy")
    job.client, job.priority = "ada@workstation", "batch"
    job.queue = {"place": 3, "ahead": 2, "wait_seconds": 7300.0, "usual_seconds": 300.0}
    assert "queued, place 3, about 2 h" in command("jobs").out
    out = command("job", job.id).out
    assert "queued, place 3, about 2 h" in out
    assert "ada@workstation, batch" in out


def test_a_waiting_job_shows_for_how_long_and_where_its_children_stand(command, service):
    job = service.add_job("build", "numpy scipy")
    service.say(job, "phase", name="waiting")
    job.queue = {"place": 0, "ahead": 0, "wait_seconds": 40.0, "usual_seconds": None}
    child = service.add_child(job, "wheel", "numpy 2.4.6")
    child.queue = {"place": 2, "ahead": 1, "wait_seconds": None, "usual_seconds": None}
    out = command("job", job.id).out
    assert "building (waiting, about 40 s)" in out
    assert "queued, place 2" in out


def test_an_ended_job_shows_who_was_told(command, service, jobs):
    service.webhooks = [
        {"address": "https://ci.example.org/…", "outcome": "due", "attempts": 2, "found": "503"}
    ]
    out = command("job", jobs[0].id).out
    assert "TOLD" in out
    assert "https://ci.example.org/…  due      2      503" in out


def test_logs_are_cleaned(command, jobs):
    assert command("logs", jobs[0].id).out == "green\n: :warning::foreign\n"
    assert command("logs", "-f", jobs[0].id).out == "green\n: :warning::foreign\n"


def test_the_log_of_a_failed_job_opens_at_its_first_error(command, service):
    job = service.add_job("wheel", "scipy 1.17")
    for number in range(1, 21):
        service.say(job, "line", text=f"line {number}")
    service.fail(job, BuildFailed("scipy: it failed", log_line=15))
    ended = command("logs", job.id)
    assert ended.out.splitlines()[0] == (
        f"(from line 10 of the log of scipy 1.17; all of it: /v1/jobs/{job.id}/log)"
    )
    assert ended.out.splitlines()[1:] == [f"line {number}" for number in range(10, 21)]
    assert "--all" in ended.err
    whole = command("logs", job.id, "--all")
    assert whole.out.splitlines() == [f"line {number}" for number in range(1, 21)]
    assert whole.err == ""


def test_logs_of_a_running_job_are_followed_to_its_end(command, service):
    def worker(service, job):
        service.say(job, "phase", name="compile")
        service.say(job, "step", done=1, total=2, text="part one")
        service.say(job, "line", text="hello")
        service.fail(job, BuildFailed("no"))

    service.worker = worker
    job_id = command("build", "numpy", "--detach").out.strip()
    service.jobs[job_id].state = "building"
    ended = command("logs", "-f", job_id)
    assert "hello" in ended.out
    assert ended.code in (0, 1)  # 0 where it had ended before it was asked for


def test_a_job_that_does_not_exist_is_wrong_input(command):
    for arguments in (("job", "x"), ("logs", "x"), ("logs", "-f", "x"), ("cancel", "x")):
        assert command(*arguments).code == 2


def test_cancel_says_what_became_of_it(command, service):
    job = service.add_job("build", "numpy")
    assert command("cancel", job.id).out == f"{job.id} is cancelled\n"
    joined = service.add_job("build", "scipy")
    joined.waiters = 3
    assert "2 other requests wait" in command("cancel", joined.id).out
    running = service.add_job("build", "torch")
    service.say(running, "phase", name="compile")
    assert "is being cancelled" in command("cancel", running.id).out
    assert command("cancel", job.id).code == 2


def test_the_cache_is_listed_by_project_and_channel(command, built):
    out = command("cache", "ls").out
    assert out.splitlines()[-1] == "3 wheels, 24.6 MB"
    assert "pillow" not in command("cache", "ls", "numpy").out
    assert len(json.loads(command("cache", "ls", "numpy", "-c", "team", "--json").out)) == 1
    assert command("cache", "ls", "torch").out == "the cache holds no such wheel\n"


def test_the_cache_shows_one_wheel_by_name_file_or_digest(command, built):
    wheel = built.wheels[0]
    for name in ("pillow", wheel["filename"], wheel["digest"], wheel["digest"].removeprefix("sha256:")[:12]):
        ended = command("cache", "show", name)
        assert ended.code == 0
        assert "pip install --index-url" in ended.out
    assert command("cache", "show", "torch").code == 2


def test_toolchains_are_listed_and_shown(command, service):
    out = command("toolchain", "list").out
    assert "debian12-cp311" in out
    assert "not made yet" in out
    assert "manylinux_2_36_x86_64" in command("toolchain", "show", "debian12-cp311").out
    assert json.loads(command("toolchain", "list", "--json").out)[0]["name"] == "debian12-cp311"
    assert command("toolchain", "show", "x").code == 2


def test_a_toolchain_is_made_and_followed(command, service):
    def worker(service, job):
        service.say(job, "phase", name="packages")
        record = {
            "image": "sha256:" + "0" * 64,
            "layers": [{"size": 5_000_000}],
            "packages": {"gcc": "12"},
            "base": None,
        }
        service.succeed(job, {"toolchain": record, "seconds": 43.2})

    service.worker = worker
    ended = command("toolchain", "build", "debian12-cp311")
    assert ended.code == 0
    assert "sha256:000" in ended.out
    assert "43 s" in ended.out


def test_version_needs_no_service(command, monkeypatch):
    monkeypatch.delenv("WHEELYARD_URL")
    assert command("version").out.startswith("wheelyard ")
    assert json.loads(command("version", "--json").out)["wheelyard"]


def test_without_a_service_the_way_to_one_is_said(command, monkeypatch):
    monkeypatch.delenv("WHEELYARD_URL")
    ended = command("jobs", "--json")
    assert ended.code == 3
    assert "wheelyard up" in json.loads(ended.err)["do"]


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("up",), ("down",), ("doctor",), ("version",), ("build",), ("image",), ("jobs",), ("job",),
        ("logs",), ("cancel",), ("toolchain", "list"), ("toolchain", "show"), ("toolchain", "build"),
        ("cache", "ls"), ("cache", "show"),
    ],
)  # fmt: skip
def test_every_help_has_an_example_and_the_exit_codes(command, arguments):
    ended = command(*arguments, "--help")
    assert ended.code == 0
    assert "Exit codes: 0 done" in ended.out
    assert "  wheelyard" in ended.out or arguments == ("version",)
