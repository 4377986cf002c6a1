"""No line of a build is obeyed by a CI system or a terminal, whatever it is made of."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from wheelyard.foreign_text import clean, clean_block

# Pieces that commands, escapes and tricks are made of.
PIECES = st.sampled_from(
    [
        *("::", ":", "##", "#", "[", "error", "vso[", "VSO[", "teamcity[", "set-output name=x::y", "]", "a"),
        *(" ", "\t", "\xa0", "\u2003", "\x85", "\u2028", "\u3000", "\r", "\x00", "\x08", "\ufeff"),
        *("\x1b", "\x1b[31m", "\x1b]0;t\x07", "\x1b]8;;u\x1b\\", "\x9b1m", "\x1b]open"),
        *("\u202e", "\u2066", "\udcff"),
    ]
)
LINES = st.lists(PIECES | st.text(max_size=4), max_size=14).map("".join)
# What .NET's String.TrimStart takes away, with which GitHub's runner begins.
DOTNET_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
DOTNET_SPACE += "".join(map(chr, range(0x2000, 0x200B)))


def is_obeyed(line):
    """Whether GitHub's, Azure's or TeamCity's runner takes a line for a command, by their own rules."""
    starts = line.lstrip(DOTNET_SPACE).startswith("::")
    return starts or re.search(r"##(\[|vso\[|teamcity\[)", line, re.IGNORECASE) is not None


@given(LINES)
@example("::error::x")
@example("\xa0\u2003::add-mask::x")
@example("x ###[group]y")
@example("#\x1b[0m#vso[task.complete]")
@example("\u202e::error::")
def test_no_line_is_obeyed_by_a_runner(line):
    assert not any(is_obeyed(part) for part in re.split(r"\r\n|\r|\n", clean(line)))


@given(LINES)
def test_no_line_steers_a_terminal_or_turns(line):
    shown = clean(line)
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", shown)
    shown.encode()


@given(LINES)
def test_what_is_clean_stays_as_it_is(line):
    assert clean(clean(line)) == clean(line)


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=40))
def test_plain_text_is_left_alone(line):
    if not is_obeyed(line) and "##" not in line:
        assert clean(line) == line


def test_each_line_of_a_block_is_cleaned():
    assert clean_block("a\n::b") == "a\n: :b"
