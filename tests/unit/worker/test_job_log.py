"""What becomes of a job's output."""

import gzip
import io

import pytest

from wheelyard.errors import QueueUnavailable, StoreUnavailable
from worker.job_log import JobLog, step_of


class Events:
    def __init__(self, out=False):
        self.out, self.added = out, []

    def add(self, streams, event):
        if self.out:
            raise QueueUnavailable("out")
        self.added.append((tuple(streams), event))


class Shelf:
    def __init__(self, out=False):
        self.out, self.body = out, b""

    def put_blob(self, source, digest):
        if self.out:
            raise StoreUnavailable("out")
        self.body = source.read_bytes()


def make_log(tmp_path, events, limit=1000, clock=lambda: 100.0):
    return JobLog(
        events,
        job="j",
        title="demo 1",
        streams=lambda: ["p"],
        path=tmp_path / "log",
        limit=limit,
        clock=clock,
    )


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("[12/474] Compiling a.c", (12, 474, "Compiling a.c")),
        ("[ 37%] Building CXX object", (37, 100, "Building CXX object")),
        ("[9/3] nonsense", None),
        ("[1/0] nonsense", None),
        ("x [1/2]", None),
    ],
)
def test_reads_the_build_tools_own_step_counts(line, step):
    assert step_of(line) == step


def test_steps_and_lines_reach_the_jobs_own_stream_and_its_parents(tmp_path):
    events = Events()
    log = make_log(tmp_path, events)
    log.line("[1/2] one")
    log.line("two")
    assert [(streams, event.type) for streams, event in events.added] == [
        (("j", "p"), "step"),
        (("j", "p"), "line"),
    ]


def test_control_characters_do_not_pass(tmp_path):
    events = Events()
    log = make_log(tmp_path, events)
    log.line("\x1b[31mred\x1b[0m\x07 and\tplain")
    log.line("10%\r50%\r100%")
    assert [event.facts["text"] for _, event in events.added] == ["red and\tplain", "100%"]


def test_the_kept_log_is_bounded_and_says_so(tmp_path):
    shelf = Shelf()
    log = make_log(tmp_path, Events(), limit=20)
    for number in range(10):
        log.line(f"line {number}")
    assert log.close(shelf).startswith("sha256:")
    text = gzip.GzipFile(fileobj=io.BytesIO(shelf.body)).read().decode()
    assert text == "line 0\nline 1\n(8 further lines were left out: the log is full)\n"


def test_a_flood_of_lines_is_thinned_for_listeners_only(tmp_path):
    events = Events()
    log = make_log(tmp_path, events, limit=1 << 20)
    for number in range(1000):
        log.line(f"line {number}")
    assert len(events.added) == 200


def test_redis_being_out_does_not_end_a_job(tmp_path):
    log = make_log(tmp_path, Events(out=True))
    log.line("one")
    log.event("phase", name="compile")
    assert log.close(Shelf()) != ""


def test_a_log_that_can_not_be_kept_costs_only_itself(tmp_path):
    log = make_log(tmp_path, Events())
    log.line("one")
    assert log.close(Shelf(out=True)) == ""
    assert log.close(Shelf()) == ""
