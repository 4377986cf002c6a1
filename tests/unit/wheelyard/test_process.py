"""Programs of ours: their end, their time, their last words."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from wheelyard.errors import Cancelled, EngineFailed, InfrastructureError
from wheelyard.process import run_command


def python(source, **options):
    return run_command([sys.executable, "-c", source], **{"timeout": 30, **options})


def test_gives_what_the_program_wrote():
    assert python("print(input())", stdin=b"hello\n") == "hello\n"


def test_tells_the_last_words_of_a_program_that_failed():
    with pytest.raises(EngineFailed) as caught:
        python("import sys; sys.exit('no such thing')", failure=EngineFailed)
    assert caught.value.found == "no such thing"
    assert "status 1" in caught.value.failed


def test_says_what_is_not_installed():
    with pytest.raises(InfrastructureError) as caught:
        run_command(["no-such-program"], timeout=1)
    assert caught.value.failed == "no-such-program is not installed"


def test_a_program_that_takes_too_long_may_clean_up_and_is_ended(tmp_path):
    mark = tmp_path / "mark"
    source = (
        "import signal, sys, time, pathlib\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(mark)!r}).touch(), sys.exit()))\n"
        "time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match="did not end"):
        python(source, timeout=1.0)
    assert time.monotonic() - started < 45
    assert mark.is_file()


def test_an_interrupt_ends_the_program_and_its_children():
    seconds = f"61.{os.getpid()}"
    source = f"import subprocess; subprocess.run(['sleep', '{seconds}'])"
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        python(source)
    deadline = time.monotonic() + 30
    while _runs(seconds) and time.monotonic() < deadline:
        time.sleep(0.05)  # it was told to end together with its parent, which alone is waited for
    assert not _runs(seconds)


def _runs(argument):
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may end while we look
            found.append(place.read_bytes().split(b"\0"))
    return any(argument.encode() in words for words in found)


def test_who_asks_for_an_early_end_gets_it_and_the_programs_children_end_too(tmp_path, until):
    begun, note = time.monotonic(), tmp_path / "pid"

    def check():
        if note.exists():
            raise Cancelled("asked to")

    with pytest.raises(Cancelled):
        run_command(["sh", "-c", f"sleep 60 & echo $! > {note}; wait"], timeout=60, check=check)
    assert time.monotonic() - begun < 45
    status = Path(f"/proc/{note.read_text().strip()}/status")
    # Whoever takes in orphans may take a moment to bury this one.
    until(lambda: not status.exists() or "State:\tZ" in status.read_text())


def test_a_program_that_is_asked_about_keeps_its_input_and_output():
    asked = []
    said = run_command(
        ["sh", "-c", "cat; sleep 0.7; echo end"],
        timeout=20,
        stdin=b"x" * 200_000,
        check=lambda: asked.append(1),
    )
    assert said == "x" * 200_000 + "end\n"
    assert asked
