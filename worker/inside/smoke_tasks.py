"""Runs in a container of a finished image, below `smoke_image.py`: takes its tasks in one process.

    python3 /in/smoke_tasks.py PIPE

The tasks stand on standard input. After each one a line goes into PIPE, a file descriptor: foreign code has
both output streams to itself. The first one that fails is the last.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import traceback
from types import TracebackType
from typing import Any


def main() -> None:
    """Take them in their order, in the image's own environment."""
    pipe = int(sys.argv[1])
    tasks = json.loads(sys.stdin.buffer.read())
    # As for a program of the application: its working folder first, and nothing of ours.
    sys.path[0] = os.getcwd()  # noqa: PTH109 - a list of texts
    sys.argv = ["-c"]
    own = os.getpid()
    for task in tasks:
        event = {"event": "passed", "reason": ""}
        try:
            take(task)
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are failures, too
            lines = traceback.format_exception(type(error), error, own_part(error.__traceback__))
            # The frames speak for themselves; whoever reads them is not told of a defect of ours.
            shown = "".join(lines).replace("Traceback (most recent call last):\n", "")
            with contextlib.suppress(Exception):
                print(shown, end="", file=sys.stderr)
            said = traceback.format_exception_only(type(error), error)
            event = {"event": "failed", "reason": "".join(said).strip()}
        if os.getpid() != own:
            # The task forked, and this is the other one of the two.
            os._exit(0)
        for stream in (sys.stdout, sys.stderr):
            # Foreign code may have closed or replaced it.
            with contextlib.suppress(Exception):
                stream.flush()
        os.write(pipe, json.dumps(event).encode() + b"\n")
        if event["event"] == "failed":
            os._exit(1)
    os._exit(0)


def own_part(trace: TracebackType | None) -> TracebackType | None:
    """Where a task's own part of a traceback begins: behind this file and the machinery of imports."""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name not in (__file__, importlib.__file__) and not name.startswith("<frozen importlib"):
            break
        trace = trace.tb_next
    return trace


def take(task: dict[str, Any]) -> None:
    """One task."""
    if task["kind"] == "import":
        importlib.import_module(task["module"])
    elif task["kind"] == "find":
        if importlib.util.find_spec(task["module"]) is None:
            raise ModuleNotFoundError(f"No module named {task['module']!r}")
    else:
        code = compile(task["code"], f"<{task['what']}>", "exec")
        exec(code, {"__name__": "__main__"})  # noqa: S102 - that is the task


if __name__ == "__main__":
    main()
