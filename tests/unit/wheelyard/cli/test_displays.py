import io
import json

import pytest
from rich.console import Console

from tests.clocks import StandingClock
from wheelyard.answers import QueueAnswer
from wheelyard.cli.progress.display import ProgressStyle, make_display, resolve_style
from wheelyard.cli.progress.json_lines import JsonDisplay
from wheelyard.cli.progress.plain import PlainDisplay
from wheelyard.cli.progress.quiet import QuietDisplay
from wheelyard.cli.progress.tty import TtyDisplay
from wheelyard.event import Event


def event(type_, job="w1", at=1000.0, title="numpy 2.4.6", **facts):
    return Event(type=type_, job=job, title=title, at=at, facts=facts)


@pytest.fixture
def clock():
    return StandingClock(1000.0)


@pytest.fixture
def plain(clock):
    stream = io.StringIO()
    display = PlainDisplay("root", "numpy", stream, clock)

    def lines():
        return [line[10:] for line in stream.getvalue().splitlines()]

    return display, lines


def compile_steps(display, clock, steps, total=100, seconds=1.0):
    for done in range(1, steps + 1):
        clock.now += seconds
        display.event(event("step", at=clock.now, done=done, total=total, text=f"part {done}"))


def test_plain_says_each_phase_once(plain):
    display, lines = plain
    for name in ("fetch", "compile", "compile"):
        display.event(event("phase", name=name))
    assert lines() == ["numpy 2.4.6: fetch", "numpy 2.4.6: compile"]


def test_plain_says_every_tenth_of_quick_steps(plain, clock):
    display, lines = plain
    display.event(event("phase", name="compile"))
    compile_steps(display, clock, 100, seconds=0.5)
    assert len(lines()) == 11
    assert lines()[1] == "numpy 2.4.6: compile 10/100 (10%), about 0:45 left"


def test_plain_says_something_every_quarter_minute_of_slow_steps(plain, clock):
    display, lines = plain
    display.event(event("phase", name="compile"))
    compile_steps(display, clock, 5, total=1000, seconds=8)
    assert len(lines()) == 3


def test_plain_shows_that_a_silent_phase_still_runs(plain, clock):
    display, lines = plain
    display.event(event("phase", name="resolve"))
    for _ in range(50):
        clock.now += 1
        display.tick()
    assert lines()[1:] == ["numpy 2.4.6: resolve, 0:15 so far", "numpy 2.4.6: resolve, 0:45 so far"]


def test_plain_says_hits_and_ends(plain, clock):
    display, lines = plain
    display.event(event("wheel", job="root", filename="pillow-12.0.0.whl", size=4_000_000, hit=True))
    display.event(event("phase", name="compile"))
    clock.now += 70
    display.event(event("wheel", filename="numpy.whl", size=8_200_000, hit=False, at=clock.now))
    display.event(event("done", at=clock.now, state="succeeded"))
    assert lines()[0] == "pillow-12.0.0.whl: from the cache, 4.0 MB"
    assert lines()[-1] == "numpy 2.4.6: succeeded (1:10, 8.2 MB)"


def test_json_writes_each_event_as_one_harmless_line(capsys):
    display = JsonDisplay()
    display.event(event("line", text="\x1b[31m::error::x\n##[group]"))
    display.note("the connection is back")
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["text"] == ": :error::x\n# #[group]"
    assert json.loads(second) == {"type": "note", "text": "the connection is back"}


def test_quiet_says_nothing_of_events(capsys):
    with QuietDisplay() as display:
        display.event(event("phase", name="compile"))
        display.tick()
        display.expect("root", [])
    assert capsys.readouterr() == ("", "")


def draw(display, width, height=24):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(display)
    return capture.get()


def tty(clock, encoding="utf-8", width=100):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, height=24, force_terminal=True, color_system=None)
    return TtyDisplay("root", "numpy", console, clock)


def standing(place, wait=None):
    return QueueAnswer(place=place, ahead=place - 1, wait_seconds=wait, usual_seconds=None)


def test_plain_says_a_place_when_it_changes(plain):
    display, lines = plain
    for queue in (standing(3, 250.0), standing(3, 250.0), standing(2, 100.0), None):
        display.stand("root", queue)
    assert lines() == ["numpy: queued, place 3, about 4 min", "numpy: queued, place 2, about 2 min"]


def test_tty_shows_the_place_of_what_waits(clock):
    display = tty(clock)
    display.stand("root", standing(3, 250.0))
    assert "queued, place 3, about 4 min" in draw(display, 100)
    display.event(event("phase", job="root", name="waiting"))
    display.stand("root", standing(1, 40.0))
    assert "about 40 s" in draw(display, 100)


def test_tty_shows_phase_steps_time_left_and_the_last_line(clock):
    display = tty(clock)
    display.event(event("phase", name="compile"))
    compile_steps(display, clock, 50)
    drawn = draw(display, 100)
    for part in ("numpy 2.4.6", "compile", "50/100", "0:50, ~0:50 left", "part 50", "0 of 1 done"):
        assert part in drawn


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_tty_never_draws_beyond_the_terminal(clock, width):
    display = tty(clock, width=width)
    display.event(event("phase", name="compile", title="a-project-with-a-very-long-name 2026.11.24.post1"))
    display.event(event("line", text="x" * 500))
    compile_steps(display, clock, 50)
    assert all(len(line) <= width for line in draw(display, width).splitlines())


def test_tty_leaves_room_where_many_jobs_are_active(clock):
    display = tty(clock)
    for number in range(30):
        display.event(event("phase", job=f"w{number}", title=f"project-{number} 1.0", name="compile"))
    drawn = draw(display, 100, height=12).splitlines()
    assert len(drawn) <= 12
    assert any("more" in line for line in drawn)


def test_tty_keeps_to_ascii_where_the_terminal_has_nothing_else(clock):
    display = tty(clock, encoding="ascii")
    with display:
        display.event(event("phase", name="compile"))
        display.event(event("done", state="succeeded"))
        display.event(event("done", job="w2", title="scipy 1.17", state="failed"))


def test_auto_is_plain_where_there_is_no_terminal(capsys):
    assert resolve_style(ProgressStyle.AUTO) is ProgressStyle.PLAIN
    assert isinstance(make_display(ProgressStyle.AUTO, "id", "title"), PlainDisplay)
