"""Tables and times on standard output, for people; programs ask for `--json`."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from wheelyard.cli.foreign_text import clean, clean_document

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def write_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    sys.stdout.write(json.dumps(clean_document(document), indent=2, ensure_ascii=False) + "\n")


def write_line(text: str = "") -> None:
    """Write one line of text to standard output."""
    sys.stdout.write(clean(text) + "\n")


def write_wrapped(text: str) -> None:
    """Write a long list of words in lines, each word whole."""
    for line in textwrap.wrap(clean(text), 100, subsequent_indent="  ", break_on_hyphens=False):
        write_line(line)


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Write rows under a header, as wide as their longest cell: a name that is cut can't be copied.

    :param right: columns that are set to the right.
    """
    cells = [[clean(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def age_text(moment: float, now: float | None = None) -> str:
    """How long ago a moment was: `3 min ago`; a dash where it did not come yet.

    :param moment: epoch seconds, 0 for never.
    """
    if not moment:
        return "-"
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def moment_text(moment: float) -> str:
    """A moment in UTC; a dash where it did not come yet."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "-"


def seconds_text(seconds: float) -> str:
    """A duration: `0.4 s`, `12 s`, `4:52`."""
    from wheelyard.cli.progress.board import clock_text

    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < _MINUTE else clock_text(seconds)
