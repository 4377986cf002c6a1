"""A progress bar by bytes, for uploads and downloads; a line at its end where there is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import seconds_text, write_line
from wheelyard.sizes import size_text

if TYPE_CHECKING:
    from rich.progress import Progress


def byte_bars() -> Progress:
    """Bars by bytes, with speed and time left, that are gone from the terminal at their end."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        transient=True,
    )


class ByteProgress(Protocol):
    """Counts bytes on their way."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, *rest: object) -> None: ...

    def add(self, count: int) -> None:
        """That many bytes have gone."""


class _Counted:
    def __init__(self, label: str, total: int, style: ProgressStyle) -> None:
        self._label = label
        self._total = total
        self._style = style
        self._begin = time.monotonic()
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            return
        seconds = time.monotonic() - self._begin
        if self._style is ProgressStyle.JSON:
            write_json_line(
                {"type": "transfer", "label": self._label, "bytes": self._done, "seconds": round(seconds, 3)}
            )
        elif self._style is not ProgressStyle.QUIET:
            write_line(f"{self._label}: {size_text(self._done)} in {seconds_text(seconds)}")

    def add(self, count: int) -> None:
        self._done += count


class _Drawn(_Counted):
    def __init__(self, label: str, total: int, style: ProgressStyle) -> None:
        super().__init__(label, total, style)
        self._bar = byte_bars()
        self._task = self._bar.add_task(label, total=total or None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self._bar.stop()
        super().__exit__(kind, *rest)

    def add(self, count: int) -> None:
        super().add(count)
        self._bar.advance(self._task, count)


def byte_progress(label: str, total: int, style: ProgressStyle) -> ByteProgress:
    """A count of bytes that is shown as the style says.

    :param total: in bytes; 0 where it is not known.
    :param style: a resolved one, not `auto`.
    """
    return _Drawn(label, total, style) if style is ProgressStyle.TTY else _Counted(label, total, style)
