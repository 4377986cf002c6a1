"""Errors on standard error: as text for people, as one JSON object for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from wheelyard.cli.foreign_text import clean, clean_block, clean_document
from wheelyard.errors import WheelyardError

if TYPE_CHECKING:
    from rich.text import Text

_SHOWN_FACTS = {"first_error": "first error", "hint": "hint", "path": "path"}


def error_text(error: WheelyardError) -> Text:
    """The error in lines: what failed, what was expected and found, and what to do."""
    from rich.text import Text

    text = Text.assemble(("error: ", "bold red"), (clean(error.failed), "bold"))
    rows = [("expected", error.expected), ("found", error.found)]
    rows += [(label, str(error.facts.get(name, ""))) for name, label in _SHOWN_FACTS.items()]
    rows.append(("next", error.do))
    said = {error.failed}
    for label, value in rows:
        if not value or value in said:
            continue
        said.add(value)
        lines = clean_block(value).split("\n")
        text.append(f"\n  {label}:", style="cyan")
        text.append(f" {lines[0]}" if len(lines) == 1 else "".join(f"\n    {line}" for line in lines))
    return text


def write_error(error: WheelyardError, *, as_json: bool, log_of: str = "") -> None:
    """Write an error to standard error.

    :param log_of: id of the job whose log tells more; empty where there is none.
    """
    if as_json:
        document = clean_document(error.to_document())
        document["exit_code"] = error.exit_code
        if log_of:
            document["job"] = log_of
        sys.stderr.write(json.dumps(document, separators=(",", ":")) + "\n")
        sys.stderr.flush()
        return
    from rich.console import Console

    text = error_text(error)
    if log_of:
        text.append("\n  log: ", style="cyan")
        text.append(f"wheelyard logs {clean(log_of)}")
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
