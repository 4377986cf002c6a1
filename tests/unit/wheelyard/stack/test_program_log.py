"""The log of one program."""

from __future__ import annotations

from wheelyard.stack import program_log
from wheelyard.stack.program_log import last_lines, open_log


def test_appends_and_gives_the_last_lines(tmp_path):
    for number in range(30):
        with open_log(tmp_path, "api") as log:
            log.write(f"line {number}\n".encode())
    assert last_lines(tmp_path, "api", 2) == "line 28\nline 29"


def test_a_long_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(program_log, "_LONG_BYTES", 10)
    (tmp_path / "api.log").write_text("more than ten bytes")
    open_log(tmp_path, "api").close()
    assert (tmp_path / "api.log.1").read_text() == "more than ten bytes"
    assert (tmp_path / "api.log").read_text() == ""


def test_says_that_nothing_was_written(tmp_path):
    assert last_lines(tmp_path, "api") == "(it wrote no log)"
    (tmp_path / "api.log").touch()
    assert last_lines(tmp_path, "api") == "(its log is empty)"
