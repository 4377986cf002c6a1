from wheelyard.answers import ChildAnswer
from wheelyard.cli.progress.board import Board, clock_text
from wheelyard.event import Event


def event(type_, job="root", at=1000.0, title="", **facts):
    return Event(type=type_, job=job, title=title, at=at, facts=facts)


def test_a_job_that_nobody_announced_appears_with_its_first_event():
    board = Board("root", "numpy")
    board.apply(event("phase", job="w1", title="numpy 2.4.6", name="compile"), 1000)
    assert [(job.title, job.word) for job in board.active] == [("numpy 2.4.6", "compile")]


def test_a_request_that_waits_for_others_is_not_active():
    board = Board("root", "numpy")
    board.apply(event("phase", name="resolve"), 1000)
    assert board.active == [board.root]
    board.apply(event("phase", name="waiting"), 1001)
    assert board.active == []


def test_jobs_that_wait_for_active_ones_are_not_active_themselves():
    board = Board("root", "image of numpy")
    for job in ("root", "build", "wheel"):
        board.apply(event("state", job=job, state="building"), 1000)
    board.expect("root", [ChildAnswer(id="build", title="numpy", state="building", phase="")], 1000)
    board.expect("build", [ChildAnswer(id="wheel", title="numpy 2.4.6", state="building", phase="")], 1000)
    assert [job.id for job in board.active] == ["wheel"]
    assert [job.id for job in board.children] == ["wheel"]
    board.apply(event("done", job="wheel", state="succeeded"), 1001)
    assert [job.id for job in board.active] == ["build"]
    board.apply(event("done", job="build", state="succeeded"), 1002)
    assert board.active == [board.root]


def test_expected_children_wait_until_they_say_something():
    board = Board("root", "numpy")
    board.expect("root", [ChildAnswer(id="w1", title="numpy 2.4.6", state="queued", phase="")], 1000)
    assert board.active == []
    board.apply(event("phase", job="w1", name="fetch"), 1001)
    assert [job.word for job in board.active] == ["fetch"]
    board.expect("root", [ChildAnswer(id="w1", title="numpy 2.4.6", state="succeeded", phase="")], 1002)
    assert board.active == []
    assert board.children[0].over


def test_an_end_that_was_asked_for_does_not_hide_older_events_that_still_come():
    board = Board("root", "numpy")
    board.expect("root", [ChildAnswer(id="w1", title="numpy 2.4.6", state="succeeded", phase="")], 1000)
    board.apply(event("phase", job="w1", name="compile"), 1001)
    assert [job.word for job in board.active] == ["compile"]
    board.apply(event("done", job="w1", state="succeeded"), 1002)
    board.apply(event("line", job="w1", text="late"), 1003)
    assert board.active == []


def test_a_new_phase_forgets_the_steps_of_the_last_one():
    board = Board("root", "numpy")
    board.apply(event("phase", name="compile"), 1000)
    board.apply(event("step", done=5, total=10, text="x"), 1000)
    assert board.root.steps.total == 10
    board.apply(event("phase", name="repair"), 1001)
    assert board.root.steps.total == 0
    assert not board.root.last_line


def test_a_job_that_went_back_to_the_queue_begins_again():
    board = Board("root", "numpy")
    board.apply(event("phase", name="compile"), 1000)
    board.apply(event("step", done=5, total=10, text="x"), 1000)
    board.apply(event("state", state="queued"), 1001)
    assert board.active == []
    assert board.root.steps.total == 0
    assert board.root.word == "queued"


def test_hits_are_counted_once_each():
    board = Board("root", "numpy")
    for _ in range(2):
        board.apply(event("wheel", filename="a.whl", size=1, hit=True), 1000)
    board.apply(event("wheel", job="w1", filename="b.whl", size=2, hit=False), 1000)
    assert board.hits == 1
    assert board.children[0].size == 2


def test_a_service_whose_clock_is_wrong_does_not_make_times_wrong():
    board = Board("root", "numpy")
    # An old event that is replayed, then a live one: the service is 3600 s ahead.
    board.apply(event("phase", name="compile", at=4600.0), received=1100.0)
    board.apply(event("line", text="x", at=4700.0), received=1100.0)
    assert board.now(1110.0) - board.root.phase_started == 110


def test_foreign_titles_and_lines_are_made_harmless():
    board = Board("root", "\x1b[31mtitle")
    board.apply(event("line", text="\x1b]0;evil\x07::error::x"), 1000)
    assert board.root.title == "title"
    assert board.root.last_line == ": :error::x"


def test_facts_of_the_wrong_kind_do_no_harm():
    board = Board("root", "numpy")
    board.apply(event("step", done="many", total=None), 1000)
    board.apply(event("wheel"), 1000)
    assert board.root.steps.total == 0


def test_durations_read_like_a_clock():
    assert [clock_text(value) for value in (-3, 0, 5, 65, 3725)] == [
        "0:00",
        "0:00",
        "0:05",
        "1:05",
        "1:02:05",
    ]
