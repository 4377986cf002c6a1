"""Waiting for a lock: what is there, what is built, and what pip will not take."""

import io
import json
import re
import sys
import threading

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed

NUMPY = "numpy-2.4.6-cp311-cp311-manylinux_2_36_x86_64.whl"
IDNA = "idna-3.11-py3-none-any.whl"
SDIST = b"the sdist of numpy"


@pytest.fixture
def lock(tmp_path):
    """Writes a lock, and gives its path."""

    def write(text: str, name: str = "lock.txt") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def publishing(*filenames: str, sdist: bytes = SDIST):
    """A worker that builds those."""

    def worker(service, job):
        service.say(job, "phase", name="resolve")
        for filename in filenames:
            service.publish(filename, channel=job.spec["channel"], sdist=sdist)
        service.succeed(job, {"lock": "", "wheels": [], "seconds": 1.0})

    return worker


def states(document):
    return {one["project"]: one["state"] for one in document["requirements"]}


def test_a_lock_that_the_index_has_is_waited_for_without_any_build(service, command, lock):
    service.publish(NUMPY)
    service.publish(IDNA)
    path = lock("numpy==2.4.6\nidna==3.11\n")
    ended = command("wait", "-r", path)
    assert ended.code == 0, ended.err
    assert not service.jobs
    assert ended.out.splitlines()[-1] == (
        f"pip install --index-url {service.url}/simple/ --only-binary :all: --no-deps -r {path}"
    )


def test_only_what_is_missing_is_built_with_one_request(service, command, lock):
    service.publish(IDNA, channel="team")
    service.worker = publishing(NUMPY, "tiny_thing-1.0-py3-none-any.whl")
    ended = command("wait", "-r", lock("numpy==2.4.6\nidna==3.11\nTiny_Thing==1.0\n"), "--channel", "team")
    assert ended.code == 0, ended.err
    (job,) = service.jobs.values()
    assert job.spec["requirements"] == ["numpy==2.4.6", "tiny-thing==1.0"]
    assert job.spec["constraints"] == ["idna==3.11"]
    assert (job.spec["channel"], job.spec["toolchain"]) == ("team", "debian12-cp311")
    assert f"{service.url}/channels/team/simple/" in ended.out


def test_a_wheel_that_does_not_fit_the_toolchain_is_missing(service, command, lock):
    service.publish("numpy-2.4.6-cp312-cp312-manylinux_2_36_x86_64.whl")
    service.publish("numpy-2.4.6-cp311-cp311-manylinux_2_39_x86_64.whl")
    service.publish("numpy-2.4.5-cp311-cp311-manylinux_2_36_x86_64.whl")
    service.publish("idna-3.11-py3-none-any.whl")
    service.wheels[-1]["requires_python"] = ">=3.12"
    ended = command("wait", "-r", lock("numpy==2.4.6\nidna==3.11\n"), "--dry-run", "--json")
    assert ended.code == 0
    assert states(json.loads(ended.out)) == {"numpy": "missing", "idna": "missing"}
    assert not service.jobs


def test_a_requirement_of_another_platform_is_not_needed(service, command, lock):
    service.publish(IDNA)
    text = 'idna==3.11\ncolorama==0.4.6 ; sys_platform == "win32"\nidna==3.10 ; python_version < "3.8"\n'
    ended = command("wait", "-r", lock(text), "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == "1 ready, 2 not needed"


def test_a_channel_that_does_not_exist_is_wrong_input_and_builds_nothing(service, command, lock):
    ended = command("wait", "-r", lock("numpy==2.4.6\n"), "--channel", "teem")
    assert ended.code == 2
    assert "there is no channel teem" in ended.err
    assert not service.jobs


def test_a_lock_on_standard_input_and_several_files_are_one(service, command, lock, monkeypatch):
    service.publish(IDNA)
    service.publish(NUMPY)
    monkeypatch.setattr(sys, "stdin", io.StringIO("idna==3.11  # from another command\n"))
    ended = command("wait", "-r", "-", "-r", lock("numpy==2.4.6\n"), "--json")
    assert ended.code == 0, ended.err
    assert states(json.loads(ended.out)) == {"idna": "ready", "numpy": "ready"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("idna==3.11\n\nnumpy>=2\n", "line 3: 'numpy>=2' is not pinned"),
        ("numpy\n", "line 1: 'numpy' is not pinned"),
        ("numpy==2.*\n", "line 1: 'numpy==2.*' is not pinned"),
        ("-e .\n", "line 1: '-e .' can't be waited for"),
        ("idna==3.11\n-r more.txt\n", "line 2: '-r more.txt' can't be waited for"),
        ("./numpy\n", "line 1: './numpy' is not the requirement of an index"),
        (
            "idna @ https://example.org/idna.whl\n",
            "line 1: 'idna @ https://example.org/idna.whl' is not pinned",
        ),
        ("idna==3.11 --hash=md5:00\n", "line 1: a hash can't be read"),
        ("idna==3.11\nidna==3.10\n", "line 2: idna==3.10 contradicts idna==3.11"),
        ("# nothing\n", "pins nothing"),
    ],
)
def test_a_line_that_is_not_pinned_is_named(service, command, lock, text, said):
    ended = command("wait", "-r", lock(text))
    assert ended.code == 2
    assert said in ended.err
    assert not service.requests


def test_a_project_that_can_not_be_built_ends_with_the_builds_own_error(service, command, lock):
    error = BuildFailed("numpy 2.4.6: the phase compile failed", found="x.c:1:1: error: no")
    service.worker = lambda service, job: service.fail(job, error)
    ended = command("wait", "-r", lock("numpy==2.4.6\n"))
    assert ended.code == 1
    assert "x.c:1:1: error: no" in ended.err
    ended = command("wait", "-r", lock("numpy==2.4.6\n"), "--json")
    assert (ended.code, json.loads(ended.err)["kind"]) == (1, "build-failed")


def test_hashes_that_allow_no_wheel_of_the_channel_say_how_to_go_on(service, command, lock, tmp_path):
    service.worker = publishing(NUMPY)
    upstream, sdist = Digest.of(b"upstream's wheel"), Digest.of(SDIST)
    text = f"numpy==2.4.6 \\\n    --hash={upstream} \\\n    --hash={sdist}\n    # via -r requirements.in\n"
    path = lock("# a lock\n--index-url https://elsewhere.example/simple\n" + text)
    ended = command("wait", "-r", path)
    assert ended.code == 2
    assert "hashes that no wheel of the channel has" in ended.err
    assert "--write-lock" in ended.err
    written = tmp_path / "here.txt"
    ended = command("wait", "-r", path, "--write-lock", str(written))
    assert ended.code == 0, ended.err
    ours = Digest.of(NUMPY.encode())
    lines = written.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("# a lock", "    # via -r requirements.in")
    assert set(re.findall(r"--hash=(\S+)", written.read_text())) == {str(upstream), str(sdist), str(ours)}
    assert "elsewhere" not in written.read_text()
    assert f"--require-hashes -r {written}" in ended.out
    # Who waits for the written lock finds all of it.
    assert command("wait", "-r", str(written)).code == 0
    assert len(service.jobs) == 1


def test_a_wheel_of_another_source_than_the_locks_gets_no_hash(service, command, lock, tmp_path):
    service.publish(NUMPY, sdist=b"another sdist")
    written = tmp_path / "here.txt"
    path = lock(f"numpy==2.4.6 --hash={Digest.of(SDIST)}\n")
    ended = command("wait", "-r", path, "--write-lock", str(written))
    assert ended.code == 2
    assert "do not follow from the lock's hashes" in ended.err
    assert not written.exists()


def test_a_lock_without_hashes_gets_those_of_what_the_index_gives(service, command, lock, tmp_path):
    service.publish(IDNA)
    written = tmp_path / "here.txt"
    ended = command("wait", "-r", lock("idna==3.11  # via x\n"), "--write-lock", str(written))
    assert ended.code == 0, ended.err
    assert written.read_text() == f"idna==3.11 \\\n    --hash={Digest.of(IDNA.encode())}\n"


def test_a_wheel_whose_bytes_are_not_what_its_page_says_is_never_written(service, command, lock, tmp_path):
    digest = service.publish(IDNA)
    service.blobs[str(digest)] = b"flipped"
    written = tmp_path / "here.txt"
    ended = command("wait", "-r", lock("idna==3.11\n"), "--write-lock", str(written))
    assert ended.code == 1
    assert "other bytes" in ended.err
    assert not written.exists()


def test_an_answer_of_before_whose_wheels_are_gone_is_built_anew(service, command, lock):
    service.worker = publishing(NUMPY)
    path = lock("numpy==2.4.6\n")
    assert command("wait", "-r", path).code == 0
    service.wheels.clear()
    ended = command("wait", "-r", path)
    assert ended.code == 0, ended.err
    assert [job.spec["refresh"] for job in service.jobs.values()] == [False, True]


def test_a_wait_that_is_too_long_ends_and_leaves_the_build(service, command, lock):
    ended = command("wait", "-r", lock("numpy==2.4.6\n"), "--timeout", "1s")
    assert ended.code == 4
    assert "the job goes on" in ended.err
    (job,) = service.jobs.values()
    assert (job.state, job.waiters) == ("queued", 1)


def test_a_wheel_that_is_shown_a_moment_late_is_waited_for(service, command, lock):
    def worker(service, job):
        service.succeed(job, {"lock": "", "wheels": [], "seconds": 1.0})
        threading.Timer(0.7, service.publish, [NUMPY]).start()

    service.worker = worker
    assert command("wait", "-r", lock("numpy==2.4.6\n")).code == 0


def test_json_lines_end_with_the_result(service, command, lock):
    service.worker = publishing(NUMPY)
    ended = command("wait", "-r", lock("numpy==2.4.6\n"), "--progress", "json")
    documents = [json.loads(line) for line in ended.out.splitlines()]
    assert documents[0]["type"] == "note"
    assert documents[-1]["type"] == "result"
    assert states(documents[-1]) == {"numpy": "ready"}
    assert documents[-1]["install"].startswith("pip install ")
