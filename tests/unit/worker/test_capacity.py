"""What a worker may use, and each job's share of it."""

import pytest

from wheelyard.settings import Settings
from worker.capacity import Capacity, Machine, Verdict, find_machine, parallel_jobs

GIGABYTE = 1 << 30


def capacity(cores=8.0, memory=32 * GIGABYTE, slots=0, elsewhere=0):
    return Capacity(Machine(cores=cores, memory=memory), slots, lambda _queue: elsewhere)


@pytest.fixture
def host(tmp_path):
    """A procfs and a cgroup mount of a host with 64 GiB."""
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: {64 << 20} kB\nMemFree: 1 kB\n")

    def find(lines, files, **settings):
        (proc / "self" / "cgroup").write_text(lines)
        for name, text in files.items():
            place = cgroup / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return find_machine(Settings(**settings), proc=proc, cgroup=cgroup)

    return find


def test_without_a_cgroup_most_of_the_host_is_the_workers(host):
    assert host("0::/\n", {}).memory == 62 * GIGABYTE


def test_cgroup_v2_grants_less_and_a_group_above_holds_too(host):
    files = {"a/memory.max": str(16 * GIGABYTE), "a/b/memory.max": "max", "a/b/cpu.max": "50000 100000"}
    machine = host("0::/a/b\n", files)
    assert machine == Machine(cores=0.5, memory=14 * GIGABYTE)


def test_cgroup_v1_grants_less(host):
    files = {
        "memory/w/memory.limit_in_bytes": str(8 * GIGABYTE),
        "cpu,cpuacct/w/cpu.cfs_quota_us": "-1",
        "cpu/w/cpu.cfs_quota_us": "75000",
        "cpu/w/cpu.cfs_period_us": "100000",
    }
    machine = host("4:memory:/w\n3:cpu,cpuacct:/w\n", files)
    assert machine == Machine(cores=0.75, memory=7 * GIGABYTE)


def test_settings_win(host):
    assert host("0::/\n", {}, worker_cores=3, worker_memory=GIGABYTE) == Machine(cores=3, memory=GIGABYTE)


def test_one_alone_gets_all_cores_and_two_get_half():
    room = capacity()
    _, first = room.ask(8 * GIGABYTE, "q")
    assert first.cores() == 8
    _, second = room.ask(8 * GIGABYTE, "q")
    assert (first.cores(), second.cores()) == (4, 4)
    second.leave()
    assert first.cores() == 8


def test_what_waits_gets_its_cores_too_as_far_as_it_fits():
    room = capacity()
    room.note_waiting(100)
    _, seat = room.ask(8 * GIGABYTE, "q")
    # Four builds of this size fit into the memory at the same time.
    assert seat.cores() == 2


def test_nobody_gets_less_than_a_core():
    room = capacity(cores=2, slots=5)
    seats = [room.ask(GIGABYTE, "q")[1] for _ in range(5)]
    assert {seat.cores() for seat in seats} == {1}


def test_what_does_not_fit_waits():
    room = capacity()
    room.ask(30 * GIGABYTE, "q")
    assert room.ask(3 * GIGABYTE, "q")[0] is Verdict.WAIT
    assert room.ask(2 * GIGABYTE, "q")[0] is Verdict.TAKE


def test_what_only_coordinates_takes_a_slot_and_no_memory():
    room = capacity(slots=2)
    assert [room.ask(0, "plans", compiles=False)[0] for _ in range(3)] == [
        Verdict.TAKE, Verdict.TAKE, Verdict.WAIT,
    ]  # fmt: skip
    assert room.full


def test_the_largest_waits_until_it_is_alone():
    room = capacity()
    _, small = room.ask(GIGABYTE, "q")
    assert room.ask(100 * GIGABYTE, "q")[0] is Verdict.WAIT
    small.leave()
    verdict, seat = room.ask(100 * GIGABYTE, "q")
    assert (verdict, seat.memory) == (Verdict.TAKE, 32 * GIGABYTE)
    assert capacity(elsewhere=128 * GIGABYTE).ask(100 * GIGABYTE, "q") == (Verdict.PASS, None)


@pytest.mark.parametrize(
    ("share", "most", "memory", "per_job", "asked", "jobs"),
    [(8, 8, 8, 0, 0, 8), (2.7, 2.7, 8, 0, 0, 2), (0.5, 0.5, 8, 0, 0, 1), (8, 8, 8, 3, 0, 2),
     (8, 8, 2, 3, 0, 1), (2, 2, 8, 0, 6, 6), (2, 2, 8, 2, 6, 4)],
)  # fmt: skip
def test_parallel_jobs_follow_cores_memory_and_the_settings(share, most, memory, per_job, asked, jobs):
    memory, per_job = memory * GIGABYTE, per_job * GIGABYTE
    assert parallel_jobs(share, most, memory=memory, memory_per_job=per_job, asked=asked) == jobs


@pytest.mark.parametrize(
    ("share", "memory", "per_job", "jobs"),
    [(1, 8, 0, 8), (1, 4, 0, 4), (6, 4, 0, 6), (1, 8, 3, 2), (1, 64, 0, 16), (1, 0.5, 0, 1)],
)
def test_one_that_begins_beside_others_has_jobs_for_when_they_have_ended(share, memory, per_job, jobs):
    memory = int(memory * GIGABYTE)
    assert parallel_jobs(share, 16, memory=memory, memory_per_job=per_job * GIGABYTE, asked=0) == jobs
