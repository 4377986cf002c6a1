"""The one door to subprocesses: an argument list, a timeout, and an error that says what was run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wheelyard.errors import InfrastructureError

CLEAN_UP_SECONDS = 15.0
_CHECK_SECONDS = 0.5


def run_command(
    argv: Sequence[str],
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    failure: type[InfrastructureError] = InfrastructureError,
    check: Callable[[], None] | None = None,
) -> str:
    """Run a program of ours (never a foreign one) to its end and return its standard output.

    :param argv: the program and its arguments; no shell reads them.
    :param timeout: in seconds; the program is killed at its end.
    :param environment: its whole environment; None means this process's own.
    :param stdin: bytes for its standard input; None means an empty one.
    :param failure: class of the error that is raised.
    :param check: called every half second; what it raises ends the program and goes through.
    :raises InfrastructureError: it is not installed, took too long, or ended with another status than 0.
    """
    program = argv[0]
    try:
        # Its own session: a Ctrl-C in the terminal reaches this process only, which then ends the program.
        running = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise failure(
            f"{program} is not installed", do=f"install {program}, or run `wheelyard doctor`"
        ) from error
    with running:
        try:
            output, complaints = _communicate(running, stdin or b"", timeout, check)
        except subprocess.TimeoutExpired as error:
            _end_group(running)
            raise failure(
                f"{' '.join(argv[:3])} did not end", expected=f"an end within {timeout:.0f} s", do="try again"
            ) from error
        except BaseException:
            _end_group(running)
            raise
    if running.returncode != 0:
        last = complaints.decode(errors="replace").strip().splitlines()[-5:]
        raise failure(
            f"{' '.join(argv[:3])} failed with status {running.returncode}",
            found="\n".join(last),
            argv=list(argv),
        )
    return output.decode(errors="replace")


def _communicate(
    running: subprocess.Popen[bytes], stdin: bytes, timeout: float, check: Callable[[], None] | None
) -> tuple[bytes, bytes]:
    if check is None:
        return running.communicate(stdin, timeout=timeout)
    limit = time.monotonic() + timeout
    given: bytes | None = stdin
    while True:
        try:
            # A repeated call loses no output, and goes on with the first one's input.
            return running.communicate(given, timeout=_CHECK_SECONDS)
        except subprocess.TimeoutExpired:
            given = None
            check()
            if time.monotonic() > limit:
                raise


def _end_group(running: subprocess.Popen[bytes]) -> None:
    # The program's children go with it: a bootstrap's dpkg, a pip's build. First they may clean up.
    for number, seconds in ((signal.SIGTERM, CLEAN_UP_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(seconds)
