"""How a push is shown: a bar for each blob on a terminal, a line elsewhere, a document for programs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from wheelyard.cli.byte_progress import byte_bars
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import seconds_text, write_line
from wheelyard.registry.blob_upload import Arrival, Blob
from wheelyard.sizes import size_text

if TYPE_CHECKING:
    from rich.progress import TaskID

    from wheelyard.digests import Digest

_WORDS = {Arrival.THERE: "is there", Arrival.MOUNTED: "mounted", Arrival.SENT: "sent"}


class PushLines:
    """Writes what became of each blob: lines, JSON documents, or nothing. See `PushProgress`.

    :param style: a resolved one.
    """

    def __init__(self, style: ProgressStyle) -> None:
        self._style = style
        self._lock = threading.Lock()
        self._began: dict[Digest, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is left to be done."""

    def begin(self, blob: Blob) -> None:
        """See `PushProgress.begin`."""
        self._began[blob.digest] = time.monotonic()

    def at(self, blob: Blob, position: int) -> None:
        """See `PushProgress.at`."""

    def end(self, blob: Blob, arrival: Arrival) -> None:
        """See `PushProgress.end`."""
        seconds = time.monotonic() - self._began[blob.digest]
        with self._lock:
            if self._style is ProgressStyle.JSON:
                write_json_line(
                    {
                        "type": "blob",
                        "digest": str(blob.digest),
                        "title": blob.title,
                        "bytes": blob.size,
                        "arrival": arrival.value,
                        "seconds": round(seconds, 3),
                    }
                )
            elif self._style is not ProgressStyle.QUIET:
                time_text = f" in {seconds_text(seconds)}" if arrival is Arrival.SENT else ""
                write_line(f"{blob.title}: {size_text(blob.size)} {_WORDS[arrival]}{time_text}")


class PushBars(PushLines):
    """Draws a bar for each blob that is on its way, and a line for each that came."""

    def __init__(self) -> None:
        super().__init__(ProgressStyle.TTY)
        self._bars = byte_bars()
        self._tasks: dict[Digest, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bars.stop()

    def at(self, blob: Blob, position: int) -> None:
        """See `PushProgress.at`."""
        if blob.digest not in self._tasks:
            self._tasks[blob.digest] = self._bars.add_task(blob.title, total=blob.size)
        self._bars.update(self._tasks[blob.digest], completed=position)

    def end(self, blob: Blob, arrival: Arrival) -> None:
        """See `PushProgress.end`."""
        task = self._tasks.pop(blob.digest, None)
        if task is not None:
            self._bars.remove_task(task)
        super().end(blob, arrival)


def push_progress(style: ProgressStyle) -> PushLines:
    """How a push is shown in a style.

    :param style: a resolved one, not `auto`.
    """
    return PushBars() if style is ProgressStyle.TTY else PushLines(style)
