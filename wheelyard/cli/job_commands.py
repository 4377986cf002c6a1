"""The commands about jobs: jobs, job, cancel."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.answers import ChildAnswer, JobAnswer
from wheelyard.cli.error_text import error_text
from wheelyard.cli.queue_text import queued_text, state_text
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import age_text, moment_text, seconds_text, write_json, write_line, write_table

JobId = Annotated[
    str, typer.Argument(help="The job's id, as `build --detach` and `jobs` print it.", metavar="ID")
]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


def jobs(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", help="How many, newest first.", min=1, max=1000)
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs.

    \b
    Examples:
      wheelyard jobs
      wheelyard jobs -n 100 --json
    """
    with session_of(context).client() as client:
        found = client.jobs(limit)
    if as_json:
        write_json([job.document for job in found])
        return
    if not found:
        write_line("no jobs yet")
        return
    rows = [
        (job.id, job.kind, state_text(job), age_text(job.created_at), _took(job), job.title) for job in found
    ]
    write_table(("ID", "KIND", "STATE", "ASKED", "TOOK", "TITLE"), rows)


def job(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job: state, phase, what it waits for, and how it ended.

    \b
    Examples:
      wheelyard job 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b
    """
    with session_of(context).client() as client:
        found = client.job(job_id)
        told = client.webhooks(job_id) if found.ended else []
    if as_json:
        write_json(found.document)
        return
    rows = [
        ("id", found.id),
        ("title", found.title),
        ("kind", found.kind),
        ("state", state_text(found)),
        ("toolchain", found.toolchain),
        ("channel", found.channel),
        ("client", f"{found.client or '-'}{', batch' if found.priority == 'batch' else ''}"),
        ("asked", moment_text(found.created_at)),
        ("started", moment_text(found.started_at)),
        ("ended", moment_text(found.ended_at)),
        ("took", _took(found)),
    ]
    for label, value in rows:
        write_line(f"{label + ':':<11}{value}")
    if found.children:
        write_line()
        write_table(
            ("WAITS FOR", "STATE", "TITLE"),
            [
                (child.id, child.state if child.ended else _child_text(child), child.title)
                for child in found.children
            ],
        )
    if told:
        write_line()
        write_table(("TOLD", "OUTCOME", "TRIES", "LAST TRY"), [_told_row(entry) for entry in told])
    if found.ended and found.succeeded and found.result is not None:
        write_line()
        from wheelyard.cli.results import write_result

        write_result(found)
    elif found.ended:
        from rich.console import Console

        write_line()
        Console(highlight=False, soft_wrap=True).print(error_text(found.failure()))


def cancel(
    context: typer.Context,
    job_id: JobId,
    waiter: Annotated[
        str,
        typer.Option(help="The request that leaves, as its answer named it; else the latest.", metavar="ID"),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Leave a job; it ends where nobody else waits for it.

    \b
    Examples:
      wheelyard cancel 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b
    """
    with session_of(context).client() as client:
        left = client.cancel(job_id, waiter)
    if as_json:
        write_json(left.document)
        return
    if left.state == "cancelled":
        write_line(f"{left.id} is cancelled")
    elif left.waiters > 0 and not left.cancel_requested:
        write_line(f"{left.id} goes on: {left.waiters} other requests wait for it")
    else:
        write_line(f"{left.id} is being cancelled; `wheelyard job {left.id}` tells when it is over")


def _child_text(child: ChildAnswer) -> str:
    if child.state == "queued":
        return queued_text(child.queue)
    return child.phase or child.state


def _told_row(entry: dict[str, Any]) -> tuple[str, ...]:
    names = ("address", "outcome", "attempts", "found")
    address, outcome, attempts, found = (str(entry.get(name) or "") for name in names)
    return address, outcome, attempts, found or "-"


def _took(job: JobAnswer) -> str:
    return seconds_text(job.seconds) if job.seconds else "-"
