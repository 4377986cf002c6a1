"""The engine's contract, run on each engine that works on this machine."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest

from tests.contract.engines import KINDS, open_engine
from wheelyard.errors import Cancelled, EngineFailed, ForeignOutputRefused, InputError, TimedOut
from wheelyard.process import run_command
from worker.engine.contract import ContainerSpec
from worker.proof_image import load_proof_image

pytestmark = pytest.mark.engine

JOB = "contract-test"
MIB = 1 << 20


@pytest.fixture(scope="module", params=KINDS)
def engine(request):
    found = open_engine(request.param)
    yield found
    for left in containers_of(found, JOB):
        found.remove(left)


@pytest.fixture(scope="module")
def image(engine):
    return load_proof_image(engine)


@pytest.fixture
def spec(image):
    def make(**changes):
        fields = {"image": image, "job": JOB, "owner": "tester", "memory": 128 * MIB, "pids": 64, **changes}
        return ContainerSpec(**fields)

    return make


@pytest.fixture(scope="module")
def shared(engine, image):
    """One container for the tests that only look around in it."""
    spec = ContainerSpec(
        image=image,
        job=JOB,
        owner="tester",
        memory=128 * MIB,
        pids=64,
        tmpfs={"/build": 8 * MIB, "/tmp": 8 * MIB},
    )
    with engine.start(spec) as container:
        yield container


def run(container, *argv, timeout=60.0, **options):
    lines = []
    ended = container.run(argv, on_line=lines.append, timeout=timeout, **options)
    return ended, lines


def sh(container, script, **options):
    return run(container, "sh", "-c", script, **options)


def containers_of(engine, job):
    return [one.id for one in engine.containers() if one.job == job]


def test_hands_over_each_line_and_the_exit_status(shared):
    ended, lines = sh(shared, "echo one; echo two; printf three; exit 7")
    assert (ended.code, lines) == (7, ["one", "two", "three"])
    assert not ended.out_of_memory


def test_keeps_the_order_of_both_output_streams(shared):
    _, lines = sh(shared, "for i in 1 2 3 4 5 6 7 8; do echo out $i; echo err $i >&2; done")
    assert lines == [f"{stream} {i}" for i in range(1, 9) for stream in ("out", "err")]


def test_replaces_bytes_that_are_not_text(shared):
    assert sh(shared, r"printf 'a\377b\n'")[1] == ["a\ufffdb"]


def test_gives_a_line_as_soon_as_it_is_written(shared):
    times = []
    shared.run(
        ["sh", "-c", "echo first; sleep 1; echo second"],
        on_line=lambda _line: times.append(time.monotonic()),
        timeout=60,
    )
    assert times[1] - times[0] > 0.7


def test_cuts_an_endless_line_into_parts(shared):
    _, lines = sh(shared, "head -c 200000 /dev/zero | tr '\\0' x")
    assert "".join(lines) == "x" * 200_000
    assert max(map(len, lines)) <= 64 << 10


def test_passes_environment_and_work_folder(shared):
    _, lines = sh(shared, "echo $WORD; pwd; echo $HOME", environment={"WORD": "a b=c"}, workdir="/build")
    assert lines == ["a b=c", "/build", "/tmp/home"]


def test_arguments_reach_the_program_unread_by_a_shell(shared):
    assert run(shared, "echo", "$HOME", "a  b", "`id`", "--", "*")[1] == ["$HOME a  b `id` -- *"]


def test_a_command_that_does_not_exist_is_its_own_failure_not_the_engines(shared):
    ended, lines = run(shared, "no-such-program")
    assert ended.code == 127
    assert "no-such-program" in lines[0]


def test_has_no_network_but_its_own_loopback(shared):
    _, lines = sh(shared, "cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /proc/net/route | tail -n +2")
    assert [line.strip() for line in lines] == ["lo"]


def test_holds_no_capability_and_can_gain_none(shared):
    _, lines = sh(shared, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
    status = dict(line.split(":\t") for line in lines)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_runs_as_an_ordinary_user(shared):
    assert sh(shared, "id -u; id -g")[1] == ["1000", "1000"]


def test_its_root_is_read_only(shared):
    ended, lines = sh(shared, "touch /x /etc/x /bin/x")
    assert ended.code != 0
    assert all("Read-only file system" in line for line in lines)


def test_a_tmpfs_is_writable_runs_programs_and_is_empty_and_sized(shared):
    script = "ls -A /build; cp /bin/busybox /build/echo && /build/echo ran; "
    script += "dd if=/dev/zero of=/build/x bs=1M count=20"
    _, lines = sh(shared, script + " 2>&1 | grep -o 'No space.*'")
    assert lines == ["ran", "No space left on device"]
    _, mounts = sh(shared, "grep ' /build ' /proc/mounts; rm -f /build/*")
    assert "nosuid" in mounts[0]
    assert "nodev" in mounts[0]
    assert "noexec" not in mounts[0]


def test_mounts_are_there_and_read_only(engine, spec, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "word").write_text("hello")
    with engine.start(spec(mounts={tmp_path: "/in/folder"})) as container:
        ended, lines = sh(container, "cat /in/folder/word; echo; touch /in/folder/x")
    assert ended.code != 0
    assert lines[0] == "hello"
    assert "Read-only" in lines[1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["word"]


def test_says_when_the_memory_limit_killed_a_child(engine, spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with engine.start(spec(memory=64 * MIB, tmpfs={"/tmp": 512 * MIB})) as container:
        ended, _ = sh(container, "dd if=/dev/zero of=/tmp/x bs=1M count=200; rm -f /tmp/x; exit 3")
        assert ended.out_of_memory
        after, _ = sh(container, "true")
        assert not after.out_of_memory
    assert list(tmp_path.iterdir()) == []


def cores_of(engine, container):
    """What the kernel lets a container have, as its cgroup (v1 or v2) says."""
    inspect = [*engine.traits.command, "container", "inspect", "--format", "{{.State.Pid}}", container.id]
    pid = run_command(inspect, timeout=60).strip()
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for name in ("cpu.max", "cpu.cfs_quota_us"):
            place = Path(
                "/sys/fs/cgroup", *(["cpu"] if "cpu" in controllers.split(",") else []), path[1:], name
            )
            if place.is_file():
                words = place.read_text().split()
                period = words[1] if words[1:] else place.with_name("cpu.cfs_period_us").read_text()
                return int(words[0]) / int(period)
    raise AssertionError("it has no cgroup")


def test_its_cores_can_change_while_something_runs_in_it(engine, spec):
    with engine.start(spec(cpus=0.5)) as container:
        assert cores_of(engine, container) == 0.5
        runs = threading.Thread(target=sh, args=(container, "sleep 2"))
        runs.start()
        container.limit_cpus(1.5)
        assert cores_of(engine, container) == 1.5
        runs.join()
        container.limit_cpus(1)
        assert cores_of(engine, container) == 1
    with pytest.raises(EngineFailed):
        container.limit_cpus(1)


def test_the_process_limit_holds(engine, spec):
    with engine.start(spec(pids=16)) as container:
        ended, lines = sh(container, "for i in $(seq 1 100); do sleep 20 & done; echo all")
    assert ended.code != 0
    assert "all" not in lines


def test_takes_in_orphans_so_that_they_do_not_count_as_processes(engine, spec):
    with engine.start(spec(pids=24)) as container:
        for _ in range(3):
            sh(container, "for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'sleep 0.1' &) ; done; sleep 0.5")
        ended, lines = sh(container, "ps -o stat | grep -c ^Z")
    assert ended.code == 1
    assert lines == ["0"]


def test_a_timeout_kills_the_container(engine, spec):
    with engine.start(spec()) as container:
        started = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            sh(container, "echo go; sleep 60", timeout=1.0)
        assert time.monotonic() - started < 45
        assert "1 s" in caught.value.expected
    assert containers_of(engine, JOB).count(container.id) == 0


def test_can_be_killed_from_another_thread(engine, spec):
    with engine.start(spec()) as container:
        threading.Timer(0.7, container.kill).start()
        with pytest.raises(Cancelled):
            sh(container, "sleep 60")
        with pytest.raises(Cancelled):
            sh(container, "echo never")


def test_a_reader_that_fails_ends_the_command(engine, spec):
    def refuse(line):
        raise ValueError(line)

    with engine.start(spec()) as container:
        started = time.monotonic()
        with pytest.raises(ValueError, match="go"):
            container.run(["sh", "-c", "echo go; sleep 60"], on_line=refuse, timeout=100)
        assert time.monotonic() - started < 45


def test_is_removed_whatever_happens_inside(engine, spec):
    def interrupted():
        with engine.start(spec(job="contract-interrupt")) as container:
            assert containers_of(engine, "contract-interrupt") == [container.id]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert containers_of(engine, "contract-interrupt") == []


def test_lists_the_job_and_the_owner_of_each_container(engine, spec):
    with (
        engine.start(spec(job="contract-both", owner="host/1/old")) as old,
        engine.start(spec(job="contract-both", owner="host/2/new")) as new,
    ):
        found = {one.id: one.owner for one in engine.containers() if one.job == "contract-both"}
    assert found == {old.id: "host/1/old", new.id: "host/2/new"}


def test_removes_what_a_dead_worker_left_behind_and_nothing_else(engine, spec):
    handle = engine.start(spec(job="contract-left", owner="old"))
    left = handle.__enter__()
    with engine.start(spec(job="contract-left", owner="new")) as other:
        for _ in range(2):
            engine.remove(left.id)
        assert containers_of(engine, "contract-left") == [other.id]
        assert sh(other, "echo lives")[1] == ["lives"]
    handle.__exit__(None, None, None)


def test_reads_a_file_out(shared):
    sh(shared, "head -c 300000 /dev/zero | tr '\\0' y > /build/out")
    target = io.BytesIO()
    assert shared.read_file("/build/out", target, 300_000) == 300_000
    assert target.getvalue() == b"y" * 300_000


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/build/missing", "is not in the container"),
        ("/build", "is not a file"),
        ("/build/link", "is not a file"),
        ("/build/pipe", "is not a file"),
        ("/build/long", "is too long"),
    ],
)
def test_refuses_to_read_what_is_not_a_file_of_the_right_size(shared, path, words):
    sh(shared, "ln -sf /etc/passwd /build/link; head -c 99 /dev/zero >/build/long")
    sh(shared, "[ -p /build/pipe ] || mkfifo /build/pipe")
    with pytest.raises(ForeignOutputRefused) as caught:
        shared.read_file(path, io.BytesIO(), 98)
    assert words in caught.value.failed


def test_refuses_to_start_an_image_that_is_not_there(engine, spec):
    with pytest.raises(EngineFailed), engine.start(spec(image="sha256:" + "0" * 64)):
        pass
    assert not engine.has_image("sha256:" + "0" * 64)


@pytest.mark.parametrize("target", ["relative", "/a/../b", "/a:b", "/"])
def test_refuses_a_mount_at_a_wrong_path(engine, spec, tmp_path, target):
    with pytest.raises(InputError), engine.start(spec(mounts={tmp_path: target})):
        pass


def test_an_image_id_is_the_digest_of_its_config(engine, image):
    assert image.startswith("sha256:")
    assert engine.has_image(image)


def test_refuses_an_archive_that_is_not_one(engine, tmp_path):
    archive = tmp_path / "no.tar"
    archive.write_bytes(b"no archive")
    with pytest.raises(InputError):
        engine.load(archive)


def test_refuses_to_pull_what_is_not_pinned(engine):
    with pytest.raises(InputError):
        engine.pull("127.0.0.1:1/name:latest")


def test_says_which_version_it_is(engine):
    assert engine.version().startswith(f"{engine.name} ")
    assert isinstance(Path(engine.traits.command[0]), Path)
