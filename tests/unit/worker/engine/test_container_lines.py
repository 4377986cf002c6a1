"""Lines out of a container's byte stream."""

import io

import pytest

from worker.engine.container import LINE_LIMIT, lines_of


class Dripping(io.RawIOBase):
    """A stream that gives few bytes at a time."""

    def __init__(self, content, step):
        self.content, self.step = content, step

    def read1(self, _size):
        chunk, self.content = self.content[: self.step], self.content[self.step :]
        return chunk


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_letters_cut_in_two_by_the_pipe_are_whole(step):
    text = "grün\r\nµ\n\nend"
    assert list(lines_of(Dripping(text.encode(), step))) == ["grün", "µ", "", "end"]


def test_bytes_that_are_no_text_are_replaced():
    assert list(lines_of(io.BytesIO(b"a\xffb\n\xc3"))) == ["a\ufffdb", "\ufffd"]


def test_a_long_line_comes_in_parts():
    parts = list(lines_of(io.BytesIO(b"x" * (2 * LINE_LIMIT + 5) + b"\ny\n")))
    assert parts[-1] == "y"
    assert "".join(parts[:-1]) == "x" * (2 * LINE_LIMIT + 5)
    assert max(map(len, parts)) <= LINE_LIMIT


def test_nothing_is_no_line():
    assert list(lines_of(io.BytesIO(b""))) == []
