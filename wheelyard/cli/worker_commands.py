"""The command about workers."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from wheelyard.cli.session import session_of
from wheelyard.cli.tables import seconds_text, write_json, write_line, write_table
from wheelyard.sizes import size_text


def workers(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Show who works, and on what.

    A worker that missed its last signs of life is marked as silent: its host may be gone, or it hangs. Its
    jobs go to others as soon as their leases run out.

    \b
    Examples:
      wheelyard workers
      wheelyard workers --json
    """
    with session_of(context).client() as client:
        found = client.workers()
    if as_json:
        write_json(found)
        return
    if not found:
        write_line("no workers; `wheelyard up` starts some")
        return
    rows = [
        (
            f"{worker['host']}/{worker['pid']}",
            _state(worker),
            f"{seconds_text(float(worker['age']))} ago",
            f"{len(worker['jobs'])}/{worker['slots']}" if worker["slots"] else "-",
            f"{float(worker['cores']):g}" if worker["cores"] else "-",
            size_text(int(worker["memory"])) if worker["memory"] else "-",
            str(worker["version"]),
            ", ".join(worker["queues"]),
        )
        for worker in found
    ]
    write_table(
        ("WORKER", "STATE", "SEEN", "JOBS", "CORES", "MEMORY", "VERSION", "QUEUES"), rows, right=(2, 3, 4, 5)
    )
    held = [
        (
            f"{worker['host']}/{worker['pid']}",
            str(job["id"]),
            str(job["kind"]),
            str(job["phase"]) or "-",
            seconds_text(max(0.0, time.time() - float(job["since"]))),
            str(job["title"]),
        )
        for worker in found
        for job in worker["jobs"]
    ]
    if held:
        write_line()
        write_table(("WORKER", "JOB", "KIND", "PHASE", "FOR", "TITLE"), held, right=(4,))


def _state(worker: dict[str, Any]) -> str:
    if worker["silent"]:
        return "silent"
    return "draining" if worker["draining"] else "works" if worker["jobs"] else "idle"
