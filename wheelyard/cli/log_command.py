"""The command `logs`: a job's log, from its first error on where the job failed."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_line


def logs(
    context: typer.Context,
    job_id: Annotated[
        str, typer.Argument(help="The job's id, as `build --detach` and `jobs` print it.", metavar="ID")
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the job ends.")] = False,
    whole: Annotated[
        bool, typer.Option("--all", "-a", help="All of it, of a failed job, too, and of those it waited for.")
    ] = False,
) -> None:
    """Print a job's log; of one that failed, from a little above its first error.

    Control characters are taken out. With -f it goes on until the job's end, and Ctrl-C only ends the
    reading: the job goes on.

    \b
    Examples:
      wheelyard logs 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b
      wheelyard logs 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b --all
      wheelyard logs -f 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b
    """
    with session_of(context).client() as client:
        if follow:
            from wheelyard.cli.log_follow import follow_log

            raise typer.Exit(follow_log(client, job_id))
        from_error = not whole and client.job(job_id).state == "failed"
        if from_error:
            sys.stderr.write("from the first error on; --all prints the whole log\n")
            sys.stderr.flush()
        for line in client.log(job_id, from_error=from_error):
            write_line(line)
