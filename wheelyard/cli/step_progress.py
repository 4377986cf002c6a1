"""The progress of long work in steps, drawn on standard error where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def step_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step in its turn.

    :returns: takes the step's name, how much of it is done, and how much there is; 0 where nobody knows.
    """
    if not sys.stderr.isatty():
        yield lambda _step, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, object] = {}

        def show(step: str, done: int, total: int) -> None:
            from wheelyard.sizes import size_text

            for name in [name for name in tasks if name != step]:
                bar.remove_task(tasks.pop(name))  # type: ignore[arg-type]  # rich's id, which is an int
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total or None, count="")
            amount = size_text(done) if step == "bytes" else f"{done}"
            count = f"{amount} of {total}" if total else amount
            bar.update(tasks[step], completed=done, total=total or None, count=count)  # type: ignore[arg-type]

        yield show
