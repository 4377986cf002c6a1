"""Running commands: `wheelyard` on the user's own terminal, others with their output kept."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from examples.demo.failure import DemoFailed


def show(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command that draws its own progress where the user can see it.

    On Ctrl-C the terminal tells it too; it is then waited for, so that it can take leave of its job.

    :raises DemoFailed: it ended with another status than 0.
    """
    process = subprocess.Popen(list(argv), env=dict(environment), stdin=subprocess.DEVNULL)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    if status:
        raise DemoFailed(f"`{' '.join(['wheelyard', *argv[1:]])}` ended with status {status}", status=status)


def keep(
    argv: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None, refuse: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run a command and keep what it prints.

    :param seconds: time that it may take.
    :param refuse: whether another status than 0 is an error.
    :raises DemoFailed: it failed or took too long.
    """
    named = " ".join(argv[:4])
    try:
        done = subprocess.run(
            list(argv),
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise DemoFailed(f"{argv[0]} is not installed", status=3) from error
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"`{named} …` did not end within {seconds:.0f} s") from error
    if refuse and done.returncode:
        last = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise DemoFailed(f"`{named} …` ended with status {done.returncode}", last[-4000:])
    return done
