"""Exit codes: the one place that says what a command's end means to a script."""

from __future__ import annotations

import errno

import typer
from typer.exceptions import TyperException

from wheelyard.answers import JobAnswer
from wheelyard.errors import DiskFull, InfrastructureError, WheelyardError

DONE = 0
BUILD_FAILED = 1
WRONG_INPUT = 2
INFRASTRUCTURE = 3
STOPPED = 4

MEANINGS = {
    DONE: "done",
    BUILD_FAILED: "the build failed: a compile, a test or a check of what is built",
    WRONG_INPUT: "wrong input: a requirement, an option, a name or a token",
    INFRASTRUCTURE: "infrastructure: the service, its stores, the network, the disk",
    STOPPED: "timeout, or cancelled (Ctrl-C too)",
}


def exit_code_of(error: BaseException) -> int:
    """The exit code that an error ends a command with; a defect of ours counts as infrastructure."""
    if isinstance(error, WheelyardError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return STOPPED
    if isinstance(error, TyperException):
        return WRONG_INPUT
    return INFRASTRUCTURE


def exit_code_of_job(job: JobAnswer) -> int:
    """The exit code that an ended job ends a command with."""
    return DONE if job.succeeded else exit_code_of(job.failure())


def as_known_error(error: Exception) -> WheelyardError:
    """What a person is told of an error that nobody foresaw."""
    if isinstance(error, WheelyardError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"{error.filename or 'a file'} could not be written", found=str(error), do="make room"
        )
    if isinstance(error, OSError):
        return InfrastructureError(
            "the machine refused something", found=str(error), do="see --debug for where"
        )
    return InfrastructureError(
        "wheelyard itself has a defect here",
        found=f"{type(error).__name__}: {error}",
        do="run it again with --debug after `wheelyard`, and report what it prints",
    )


def exit_codes_help() -> str:
    """The table of exit codes, for `--help`."""
    return "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."
