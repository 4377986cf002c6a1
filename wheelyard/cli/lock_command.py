"""The command that gives the lock of a build."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wheelyard.cli.job_commands import JobId
from wheelyard.cli.session import session_of


class LockForm(StrEnum):
    """How a lock is written."""

    REQUIREMENTS = "requirements"
    PYLOCK = "pylock"


def lock(
    context: typer.Context,
    job_id: JobId,
    form: Annotated[
        LockForm,
        typer.Option("--format", help="Requirements with hashes, as pip reads them, or pylock.toml."),
    ] = LockForm.REQUIREMENTS,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it there.", metavar="FILE", dir_okay=False),
    ] = None,
) -> None:
    """Print the lock of a build, an image or a plan: versions, and hashes of wheels built here and of sdists.

    It installs from the index of this service, and nothing else fits it. Given to `wheelyard build`, it asks
    for the very same sdists again.

    \b
    Examples:
      wheelyard lock 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b -o lock.txt
      pip install --require-hashes --only-binary :all: --index-url $WHEELYARD_URL/simple/ -r lock.txt
      wheelyard lock 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b --format pylock -o pylock.toml
    """
    with session_of(context).client() as client:
        text = client.lock(job_id, form.value)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
