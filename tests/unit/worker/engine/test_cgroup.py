"""Out-of-memory kills as the kernel counts them."""

from worker.engine.cgroup import MemoryCounters


def process(tmp_path, text):
    (tmp_path / "proc" / "42").mkdir(parents=True)
    (tmp_path / "proc" / "42" / "cgroup").write_text(text)
    return {"proc": tmp_path / "proc", "cgroup": tmp_path / "cgroup"}


def counter(tmp_path, path, text):
    place = tmp_path / "cgroup" / path
    place.parent.mkdir(parents=True)
    place.write_text(text)


def test_reads_version_1(tmp_path):
    places = process(tmp_path, "5:cpu,cpuacct:/x\n4:memory:/pod/c1\n0::/pod/c1\n")
    counter(tmp_path, "memory/pod/c1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert MemoryCounters.of_process(42, **places).kills() == 3


def test_reads_version_2(tmp_path):
    places = process(tmp_path, "0::/pod/c1\n")
    counter(tmp_path, "pod/c1/memory.events", "low 0\noom 1\noom_kill 2\n")
    assert MemoryCounters.of_process(42, **places).kills() == 2


def test_a_cgroup_that_is_gone_or_hidden_is_unknown_not_zero(tmp_path):
    places = process(tmp_path, "0::/pod/c1\n")
    assert MemoryCounters.of_process(42, **places).kills() is None
    assert MemoryCounters.of_process(43, **places).kills() is None
    assert MemoryCounters(file=tmp_path / "gone").kills() is None
