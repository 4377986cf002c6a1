"""A stack that runs already, seen from another process: wait until it is ready, or end it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field

from wheelyard.errors import Conflict, InfrastructureError, TimedOut
from wheelyard.settings import Settings
from wheelyard.stack.processes import Identity, wait_gone
from wheelyard.stack.readiness import api_problem
from wheelyard.stack.stack_folder import StackFolder
from wheelyard.stack.supervisor import end_leftovers

_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """Where a stack answers.

    :param url: address of its front door.
    :param token: what it asks for.
    :param pid: the process of its `up`.
    """

    url: str
    token: str = field(repr=False)
    pid: int


def wait_ready(settings: Settings, timeout: float, up_pid: int | None = None) -> RunningStack:
    """Wait until the stack on this data folder is ready.

    :param timeout: in seconds.
    :param up_pid: the process that was started to run it: its end ends the waiting.
    :raises InfrastructureError: that process ended.
    :raises TimedOut: it is not ready in time.
    """
    folder = StackFolder(settings.data_dir.absolute())
    up = Identity.of(up_pid) if up_pid is not None else None
    limit = time.monotonic() + timeout
    while True:
        running = _ready(settings, folder)
        if running is not None:
            return running
        if up_pid is not None and (up is None or not up.is_alive()):
            raise InfrastructureError(
                "`wheelyard up` ended before it was ready",
                do=f"what it printed says why; the logs are in {folder.log}",
            )
        if time.monotonic() > limit:
            raise TimedOut(
                f"the stack on {folder.root} is not ready after {timeout:.0f} s",
                found=f"`wheelyard up` is process {holder.pid}"
                if (holder := folder.holder())
                else "no `wheelyard up`",
                do=f"look at what `wheelyard up` printed, and into {folder.log}",
            )
        time.sleep(_POLL_SECONDS)


def _ready(settings: Settings, folder: StackFolder) -> RunningStack | None:
    holder = folder.holder()
    if holder is None:
        return None
    try:
        written = json.loads(folder.client_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if api_problem(settings):
        return None
    return RunningStack(url=written["url"], token=written["token"], pid=holder.pid)


def stop_stack(settings: Settings) -> int:
    """End the stack on this data folder, wait for it, and end what a killed one left. May be repeated.

    :returns: 0 once nothing of it runs.
    :raises InfrastructureError: it did not end in time, or belongs to somebody else.
    """
    folder = StackFolder(settings.data_dir.absolute())
    holder = folder.holder()
    if holder is not None:
        _ask_to_end(holder)
        print(f"waiting for process {holder.pid} to end the stack on {folder.root}", flush=True)
        if not wait_gone([holder], _STOP_SECONDS + settings.drain_seconds):
            raise InfrastructureError(
                f"the stack on {folder.root} did not end",
                expected=f"an end within {_STOP_SECONDS + settings.drain_seconds:.0f} s",
                found=f"process {holder.pid} still runs",
                do=f"look at its terminal, or `kill -9 {holder.pid}` and run `wheelyard down` again",
            )
    elif not folder.children_file.exists():
        print(f"no stack runs on {folder.root}", flush=True)
        return 0
    try:
        with folder.locked():
            end_leftovers(folder, lambda line: print(line, flush=True))
            folder.client_file.unlink(missing_ok=True)
    except Conflict:
        # Somebody started the next one meanwhile; it has looked after what was left.
        pass
    print("ended", flush=True)
    return 0


def _ask_to_end(holder: Identity) -> None:
    from signal import SIGTERM

    try:
        os.kill(holder.pid, SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise InfrastructureError(
            f"process {holder.pid} can't be asked to end",
            found="it belongs to another user",
            do="run `wheelyard down` as that user",
        ) from error
