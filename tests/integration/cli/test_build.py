import json
import re
import threading
import time

import pytest

from tests.fake_service import wheel_document
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, EngineFailed, InputError, TimedOut


def result_of(*wheels):
    return {"lock": str(Digest.of(b"lock")), "wheels": list(wheels), "seconds": 12.5}


def quick_build(service, job):
    service.say(job, "phase", name="resolve")
    child = service.add_child(job, "wheel", "numpy 2.4.6")
    service.say(job, "phase", name="waiting")
    service.say(child, "phase", name="compile")
    for done in range(1, 11):
        service.say(child, "step", done=done, total=10, text=f"part {done}")
    service.say(child, "line", text="\x1b[31m::error::a foreign word")
    service.succeed(child, {})
    service.succeed(job, result_of(wheel_document("numpy", "2.4.6", hit=False)))


def test_follows_a_build_and_ends_with_the_table_and_the_pip_line(service, command):
    service.worker = quick_build
    ended = command("build", "numpy")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert any("numpy 2.4.6: compile 10/10" in line for line in lines)
    row = next(line for line in lines if line.startswith("numpy  "))
    for part in ("2.4.6", "8.2 MB", "built", "4:42", "numpy-2.4.6-cp311-cp311-manylinux_2_36_x86_64.whl"):
        assert part in row
    assert lines[-1] == f"pip install --index-url {service.url}/simple/ --only-binary :all: numpy==2.4.6"


def test_a_cached_build_shows_its_table_without_following(service, command):
    service.worker = quick_build
    command("build", "numpy")
    service.requests.clear()
    ended = command("build", "NumPy")
    assert ended.code == 0
    assert not [path for _, path in service.requests if path.endswith("/events")]
    assert "compile" not in ended.out


def test_requirements_come_from_files_and_arguments_in_one_spelling(service, command, tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# a comment\nNumPy >= 2\n\nopencv_python_headless  # the one without a window\n")
    ended = command("build", "-r", str(path), "numpy>=2", "--channel", "team", "--refresh", "--detach")
    job = service.jobs[ended.out.strip()]
    assert job.spec == {
        "requirements": ["numpy>=2", "opencv-python-headless"],
        "toolchain": "debian12-cp311",
        "channel": "team",
        "refresh": True,
    }


def test_another_channels_pip_line_names_its_own_index(service, command):
    service.worker = quick_build
    assert f"{service.url}/channels/team/simple/" in command("build", "numpy", "-c", "team").out


def test_detach_prints_the_id_and_nothing_else(service, command):
    ended = command("build", "numpy", "--detach")
    assert ended.out == f"{next(iter(service.jobs))}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BuildFailed("numpy 2.4.6: the phase compile failed", found="x.c:1:1: error: no"), 1),
        (InputError("numpy has no sdist"), 2),
        (EngineFailed("podman is missing"), 3),
        (TimedOut("numpy 2.4.6: the compile took too long"), 4),
    ],
)
def test_a_failed_build_says_why_and_where_the_log_is(service, command, error, code):
    def worker(service, job):
        child = service.add_child(job, "wheel", "numpy 2.4.6")
        service.say(job, "phase", name="waiting")
        service.fail(child, error)
        service.fail(job, error)

    service.worker = worker
    ended = command("build", "numpy")
    assert ended.code == code
    child = next(job for job in service.jobs.values() if job.kind == "wheel")
    assert ended.err.startswith(f"error: {error.failed}\n")
    assert error.found in ended.err
    assert f"wheelyard logs {child.id}" in ended.err


def test_json_is_one_document_a_line_and_the_result_comes_last(service, command):
    service.worker = quick_build
    ended = command("build", "numpy", "--progress", "json")
    documents = [json.loads(line) for line in ended.out.splitlines()]
    assert [document["type"] for document in documents][-2:] == ["done", "result"]
    assert documents[-1]["result"]["wheels"][0]["project"] == "numpy"
    assert "a foreign word" in ended.out
    assert "\x1b" not in ended.out


def test_an_error_in_json_is_one_object_on_standard_error(service, command):
    service.worker = lambda service, job: service.fail(job, BuildFailed("it failed", first_error="x.c:1"))
    ended = command("build", "numpy", "--progress=json")
    document = json.loads(ended.err)
    assert ended.code == document["exit_code"] == 1
    assert (document["kind"], document["facts"]) == ("build-failed", {"first_error": "x.c:1"})


def test_quiet_prints_only_the_result(service, command):
    service.worker = quick_build
    ended = command("build", "numpy", "--progress", "quiet")
    assert ended.out.startswith("PROJECT")
    assert not ended.err


def test_foreign_lines_never_steer_a_ci_system(service, command):
    service.worker = quick_build
    for style in ("plain", "json", "quiet"):
        ended = command("build", "numpy", "--progress", style, "--refresh")
        assert not any(line.lstrip().startswith("::") for line in ended.out.splitlines())


def test_a_connection_that_is_cut_in_the_middle_loses_nothing(service, command):
    service.worker = quick_build
    service.cuts = [0, 3, 5]
    ended = command("build", "numpy", "--progress", "json")
    assert ended.code == 0
    steps = [json.loads(line) for line in ended.out.splitlines()]
    assert [step["done"] for step in steps if step["type"] == "step"] == list(range(1, 11))
    assert not service.cuts


def test_says_that_the_connection_was_lost_and_came_back(service, command):

    def worker(service, job):
        service.say(job, "phase", name="resolve")
        service.say(job, "line", text="never arrives on the first connection")
        time.sleep(2)
        quick_build(service, job)

    service.worker = worker
    service.cuts = [1]
    out = command("build", "numpy", "--progress", "plain").out
    assert "the connection was lost" in out
    assert "the connection is back" in out


def test_an_end_that_the_stream_never_tells_is_asked_for(service, command):
    service.loses_done = True
    service.worker = quick_build
    assert command("build", "numpy").code == 0


def test_a_service_that_stays_away_is_given_up(service, command, monkeypatch):
    import wheelyard.cli.follow_job as module

    def impatient(client, job_id, **options):
        return following(client, job_id, give_up_seconds=1.0, **options)

    following = module.Following
    monkeypatch.setattr(module, "Following", impatient)

    def worker(service, job):
        service.say(job, "phase", name="compile")
        for place in (f"/v1/jobs/{job.id}/events", f"/v1/jobs/{job.id}"):
            service.answers[place] = (502, "text/html", b"<h1>Bad Gateway</h1>")

    service.worker = worker
    started = time.monotonic()
    ended = command("build", "numpy", "--progress", "plain")
    assert ended.code == 3
    assert "stayed away" in ended.err
    assert "wheelyard job " in ended.err
    assert time.monotonic() - started < 30


def test_a_service_that_is_not_there_is_said_at_once(own_machine, command, monkeypatch):
    monkeypatch.setenv("WHEELYARD_URL", "http://127.0.0.1:9")
    ended = command("build", "numpy")
    assert ended.code == 3
    assert "http://127.0.0.1:9" in ended.err
    assert "wheelyard up" in ended.err


def test_what_answers_and_is_no_wheelyard_is_said(service, command):
    service.answers["/v1/builds"] = (200, "text/html", b"<h1>Welcome to nginx</h1>")
    ended = command("build", "numpy")
    assert ended.code == 3
    assert "not a Wheelyard service" in ended.err


def test_a_missing_token_is_wrong_input(service, command):
    service.token = "secret"
    ended = command("build", "numpy")
    assert ended.code == 2
    assert "WHEELYARD_TOKEN" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "--progress", "loud", "numpy"],
        ["build", "numpy @ https://example.org/numpy.tar.gz"],
        ["build", "./numpy"],
        ["build", "--", "--index-url=x"],
        ["build", "-r", "no-such-file.txt"],
        ["--url", "ftp://x", "build", "numpy"],
        ["--url", "http://", "build", "numpy"],
        ["--token", "two words", "build", "numpy"],
        ["job", ""],
        ["no-such-command"],
        ["image", "numpy", "--tag", "Upper"],
        ["image", "numpy", "--tag", "x:no good"],
        ["image", "numpy", "--output", "/no/such/folder/x.tar"],
        ["image", "numpy", "--env", "novalue"],
        ["image", "numpy", "--entrypoint", "'open quote"],
        ["image", "numpy", "--load", "--detach"],
        ["image", "numpy", "--oci", "x", "--tag", "UPPER:1"],
        ["image", "numpy", "--app", "/no/such/folder"],
    ],
)
def test_wrong_input_ends_with_two_and_asks_for_nothing(service, command, arguments):
    ended = command(*arguments)
    assert ended.code == 2, ended
    assert ended.err
    assert not [request for request in service.requests if request[0] == "POST"]


def compile_until_cancelled(service, job):
    service.say(job, "phase", name="compile")
    for done in range(1, 2000):
        if job.cancel_requested:
            from wheelyard.errors import Cancelled

            service.fail(job, Cancelled(f"{job.title} was cancelled"))
            return
        service.say(job, "step", done=done, total=2000, text="x")
        time.sleep(0.02)


def start_following(service, program, *arguments):
    process = program("build", "numpy", "--progress", "plain", *arguments)
    for line in process.stdout:
        if "compile" in line:
            return process
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_cancels_the_job_and_waits_for_its_end(service, program, number):
    service.worker = compile_until_cancelled
    process = start_following(service, program)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "cancelling; Ctrl-C again leaves at once" in out
    assert "was cancelled" in err
    assert next(iter(service.jobs.values())).state == "cancelled"


def test_a_second_ctrl_c_leaves_at_once(service, program):
    def deaf_worker(service, job):
        service.say(job, "phase", name="compile")

    service.worker = deaf_worker
    process = start_following(service, program)
    process.send_signal(2)
    for line in process.stdout:
        if "cancelling" in line:
            break
    started = time.monotonic()
    process.send_signal(2)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert time.monotonic() - started < 25
    assert "Traceback" not in err


def test_ctrl_c_leaves_a_job_alone_that_others_wait_for(service, program):
    service.worker = compile_until_cancelled
    process = start_following(service, program)
    job = next(iter(service.jobs.values()))
    job.waiters += 1
    process.send_signal(2)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "goes on without this one" in err
    assert not job.cancel_requested


def test_ctrl_c_takes_back_the_own_request_and_not_the_latest(service, program):
    service.worker = compile_until_cancelled
    process = start_following(service, program)
    job = next(iter(service.jobs.values()))
    (own,) = job.named
    job.waiters += 1
    job.named.add("who came later")
    process.send_signal(2)
    process.communicate(timeout=30)
    assert own not in job.named
    assert job.named == {"who came later"}


def test_a_request_whose_answer_was_lost_is_sent_again_as_the_same_one(service, command):
    service.drops = 2
    ended = command("build", "numpy", "--detach")
    assert ended.code == 0
    (job,) = service.jobs.values()
    assert (ended.out.strip(), job.waiters, len(job.named)) == (job.id, 1, 1)
    assert service.requests.count(("POST", "/v1/builds")) == 3


def test_a_service_that_stays_away_is_no_reason_to_ask_for_ever(service, command):
    service.drops = 1000
    ended = command("build", "numpy", "--detach")
    assert ended.code == 3
    assert service.requests.count(("POST", "/v1/builds")) == 4


def test_a_request_says_who_sends_it_and_that_it_is_patient(service, command):
    for arguments in (("build", "numpy"), ("image", "numpy"), ("toolchain", "build", "debian12-cp311")):
        service.jobs.clear()
        service.keyed.clear()
        command(*arguments, "--batch", "--detach")
        (job,) = service.jobs.values()
        assert job.priority == "batch", arguments
        assert re.fullmatch(r"[^@]+@[^@]+", job.client), arguments


def test_a_place_in_the_queue_is_shown_while_nothing_happens(service, program, until):
    def slow_worker(service, job):
        for looks, place, wait in ((1, 3, 250.0), (2, 1, 0.0)):
            job.queue = {"place": place, "ahead": place - 1, "wait_seconds": wait, "usual_seconds": None}
            until(lambda looks=looks: service.requests.count(("GET", f"/v1/jobs/{job.id}")) >= looks)
        service.succeed(job, {"lock": "", "wheels": [], "seconds": 1})

    service.worker = slow_worker
    out, _ = program("build", "numpy", "--progress", "plain").communicate(timeout=30)
    assert "numpy: queued, place 3, about 4 min" in out
    assert "numpy: queued, place 1" in out


def test_a_reader_that_goes_away_is_no_error(service, program):
    for number in range(2000):
        service.add_job("build", f"job {number}")
    process = program("jobs", "-n", "1000")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert not process.stderr.read()


def test_two_people_who_build_the_same_follow_the_same_job(service, command):
    release = threading.Event()

    def worker(service, job):
        service.say(job, "phase", name="compile")
        release.wait(20)
        service.succeed(job, result_of(wheel_document("numpy", "2.4.6", hit=False)))

    service.worker = worker
    first = command("build", "numpy", "--detach").out.strip()
    threading.Timer(0.5, release.set).start()
    ended = command("build", "numpy")
    assert ended.code == 0
    assert list(service.jobs) == [first]
