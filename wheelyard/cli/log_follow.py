"""A log that is read while it is written: what there is, then each line as it comes."""

from __future__ import annotations

import sys

from wheelyard.cli.exits import DONE, exit_code_of_job
from wheelyard.cli.foreign_text import clean
from wheelyard.client import Client
from wheelyard.following import Following


def follow_log(client: Client, job_id: str) -> int:
    """Print a job's lines until its end; returns the exit code that the job's end means.

    The events are asked for from their beginning, so nothing is lost between a log that was read and a stream
    that was joined; of a job that ended before, the kept log is printed, which is whole.
    """
    if client.job(job_id).ended:
        for line in client.log(job_id):
            sys.stdout.write(clean(line) + "\n")
        return DONE
    for event in Following(client, job_id, on_trouble=_say).events():
        if event is None:
            continue
        if event.type == "phase":
            _write(f"--- {event.title}: {event.facts.get('name', '')}")
        elif event.type == "step":
            _write(f"[{event.facts.get('done')}/{event.facts.get('total')}] {event.facts.get('text', '')}")
        elif event.type == "line":
            _write(str(event.facts.get("text", "")))
    return exit_code_of_job(client.job(job_id))


def _write(text: str) -> None:
    sys.stdout.write(clean(text) + "\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    if text:
        sys.stderr.write(f"connection lost ({clean(text)}); trying again\n")
