"""The display for programs: one event document a line, as the service sent it."""

from __future__ import annotations

import json
import sys
from typing import Any

from wheelyard.cli.foreign_text import clean_document
from wheelyard.cli.progress.quiet import QuietDisplay
from wheelyard.event import Event


def write_json_line(document: Any) -> None:
    """Write one document as one line of standard output, at once; foreign text in it is made harmless."""
    sys.stdout.write(json.dumps(clean_document(document), separators=(",", ":")) + "\n")
    sys.stdout.flush()


class JsonDisplay(QuietDisplay):
    """Writes events to standard output, and the client's own words as `{"type": "note"}`. See `Display`."""

    def event(self, event: Event) -> None:
        """See `Display.event`."""
        write_json_line(event.to_document())

    def note(self, text: str) -> None:
        """See `Display.note`."""
        write_json_line({"type": "note", "text": text})
