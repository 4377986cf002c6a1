"""What becomes of a job's output."""

import base64
import gc
import gzip
import io
import threading

import pytest

from tests.unit.worker.live_streams import LiveStreams
from wheelyard.errors import BuildFailed, StoreUnavailable
from worker.diagnosis import diagnose
from worker.job_log import JobLog, step_of
from worker.redaction import Redaction


class Shelf:
    def __init__(self, out=False):
        self.out, self.body = out, b""

    def put_blob(self, source, digest):
        if self.out:
            raise StoreUnavailable("out")
        self.body = source.read_bytes()

    @property
    def lines(self):
        return gzip.GzipFile(fileobj=io.BytesIO(self.body)).read().decode().splitlines()


@pytest.fixture
def streams():
    return LiveStreams()


@pytest.fixture
def make(tmp_path, streams):
    def make_log(limit=1 << 20, clock=lambda: 100.0, secrets=(), parents=("p",)):
        return JobLog(
            streams, job="j", title="demo 1", streams=lambda: list(parents), path=tmp_path / "log",
            limit=limit, attempt=1, redaction=Redaction(secrets), clock=clock,
        )  # fmt: skip

    return make_log


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("[12/474] Compiling a.c", (12, 474, "Compiling a.c")),
        ("[ 37%] Building CXX object", (37, 100, "Building CXX object")),
        ("[9/3] nonsense", None),
        ("[1/0] nonsense", None),
        ("x [1/2]", None),
        ("[99999999999999999999/1] nonsense", None),
    ],
)
def test_reads_the_build_tools_own_step_counts(line, step):
    assert step_of(line) == step


def test_steps_and_lines_reach_the_jobs_own_stream_and_its_parents(make, streams):
    log = make()
    log.line("[1/2] one")
    log.line("\x1b[32m[2/2]\x1b[0m two")
    log.line("three")
    assert log.flush()
    for stream in ("j", "p"):
        assert [event.type for event in streams.told(stream)] == ["step", "step", "line"]


def test_control_characters_do_not_pass(make, streams):
    log = make()
    log.line("\x1b[31mred\x1b[0m\x07 and\tplain")
    log.line("10%\r50%\r100%")
    log.line("::error::no command, \u202enor turned text")
    log.flush()
    assert streams.texts("j") == [
        "red and\tplain", "100%", ": :error::no command, <U+202E>nor turned text",
    ]  # fmt: skip


def test_a_text_of_several_lines_is_several_lines(make, streams):
    log, shelf = make(), Shelf()
    log.line("one\ntwo")
    log.close(shelf)
    log.flush()
    assert streams.texts("j") == shelf.lines == ["one", "two"]


def test_the_kept_log_has_its_beginning_and_its_end(make):
    log, shelf = make(limit=8000), Shelf()
    for number in range(10_000):
        log.line(f"line {number}")
    log.line("x.c:1:2: error: at the end")
    assert log.close(shelf).startswith("sha256:")
    assert sum(len(line) + 1 for line in shelf.lines) < 8100
    cut = next(at for at, line in enumerate(shelf.lines) if line.startswith("(… "))
    left_out = int(shelf.lines[cut].split()[1])
    assert shelf.lines[:cut] == [f"line {number}" for number in range(cut)]
    assert shelf.lines[-2:] == ["line 9999", "x.c:1:2: error: at the end"]
    assert len(shelf.lines) - 1 + left_out == 10_001
    assert log.left_out == left_out


def test_a_log_within_the_limit_is_whole(make):
    log, shelf = make(limit=8000), Shelf()
    lines = [f"line {number}" for number in range(800)]
    for line in lines:
        log.line(line)
    log.close(shelf)
    assert shelf.lines == lines


def test_an_endless_line_is_kept_to_its_beginning(make, streams):
    log, shelf = make(), Shelf()
    for _part in range(50):
        log.line("x" * (64 << 10))
    log.line("x")
    log.line("next")
    log.close(shelf)
    assert [line[:3] for line in shelf.lines] == ["xxx", "nex"]
    assert len(shelf.lines[0]) < 4100
    assert shelf.lines[0].endswith("… (61536 more characters)")


def test_listeners_of_a_flood_are_told_how_many_lines_they_missed(make, streams):
    now = [100.0]
    log = make(clock=lambda: now[0])
    for number in range(1000):
        log.line(f"line {number}")
    now[0] = 101.0
    log.line("afterwards")
    log.flush()
    told = streams.told("j")
    assert [event.facts["text"] for event in told[:200]] == [f"line {number}" for number in range(200)]
    assert told[200].facts == {"text": "… 800 lines only in the log", "skipped": 800}
    assert told[201].facts == {"text": "afterwards"}
    assert [event.seq for event in told] == list(range(10**9 + 1, 10**9 + 203))


def test_a_phase_tells_at_once_what_was_held_back(make, streams):
    log = make()
    for number in range(300):
        log.line(f"line {number}")
    for number in range(300):
        log.line(f"[{number}/300] step")
    log.event("phase", name="repair")
    log.flush()
    told = streams.told("j")
    assert sum(event.type == "step" for event in told) == 21
    skipped, last_step, phase = told[-3:]
    assert skipped.facts["skipped"] == 100
    assert last_step.facts["done"] == 299
    assert phase.facts == {"name": "repair"}


def test_what_was_held_back_is_told_when_nothing_follows(make, streams, until):
    now = [100.0]
    log = make(clock=lambda: now[0])
    for number in range(201):
        log.line(f"line {number}")
    now[0] = 101.0
    until(lambda: streams.texts("j")[-1:] == ["… 1 line only in the log"])
    del log


def test_secrets_are_nowhere(make, streams):
    secret = "s3cr3t-Pässword/+"
    encoded = base64.b64encode(f"user:{secret}".encode()).decode()
    log, shelf = make(secrets=[secret]), Shelf()
    log.line(f"token={secret}")
    log.line(f"split by colours: s3cr3t\x1b[0m-Pässword/+ and {encoded}")
    log.line("url: https://x/?t=s3cr3t-P%C3%A4ssword%2F%2B")
    log.line("x" * 3995 + secret)
    log.event("wheel", filename=f"{secret}.whl")
    assert secret not in "".join(log.tail)
    _digest, error = log.close_failed(shelf, BuildFailed(f"it said {secret}", first_error=f"no {secret}"))
    log.event("done", state="failed", error=error.to_document())
    said = "\n".join([*shelf.lines, *(str(event.to_document()) for event in streams.told("j"))])
    assert said.count("***") >= 8
    for part in ("s3cr3t", "ssword", encoded[8:24]):
        assert part not in said


def test_a_failed_log_says_at_which_line_to_open_it(make):
    log, shelf = make(limit=8000), Shelf()
    for number in range(5000):
        log.line(f"line {number}")
    log.event("phase", name="compile")
    log.line("\x1b[1ma.c:3:1: error: first\x1b[0m")
    log.line("b.c:4:1: error: second")
    error = diagnose(log.tail, title="demo 1", phase="compile", said=(), code=1)
    _digest, told = log.close_failed(shelf, error)
    assert shelf.lines[told.facts["log_line"] - 1] == "a.c:3:1: error: first"
    assert type(told) is BuildFailed


def test_a_failure_that_no_line_tells_opens_the_log_at_its_own_words(make):
    log, shelf = make(), Shelf()
    log.line("all is well")
    _digest, told = log.close_failed(shelf, BuildFailed("the wheel is refused"))
    assert shelf.lines[told.facts["log_line"] - 1] == "failed: the wheel is refused"


def test_a_parents_error_keeps_the_line_of_its_childs_log(make):
    error = BuildFailed("no", first_error="x", log_line=77, failed_job="c")
    assert make().close_failed(Shelf(), error)[1].facts == error.facts


def test_redis_being_out_does_not_end_a_job(make, streams):
    streams.out = True
    log = make()
    log.line("one")
    log.event("phase", name="compile")
    assert log.close(Shelf()) != ""


def test_a_log_that_can_not_be_kept_costs_only_itself(make):
    log = make()
    log.line("one")
    assert log.close(Shelf(out=True)) == ""
    assert log.close(Shelf()) == ""


def test_a_full_disk_costs_only_the_log(make, monkeypatch):
    log = make()

    def full(_text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log._kept, "add", full)
    log.line("one")
    assert log.close(Shelf()) == ""


def test_no_thread_stays_of_a_log_that_went_away(make, until):
    # Some thread of an earlier test may end meanwhile.
    before = set(threading.enumerate())
    log = make()
    log.line("one")
    log.flush()
    made = set(threading.enumerate()) - before
    assert made
    del log
    gc.collect()
    until(lambda: not made & set(threading.enumerate()))
