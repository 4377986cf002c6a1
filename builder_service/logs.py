"""A job's log as plain text: the finished one from the store, the running one from its live events."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator

from builder_service.services import Services
from wheelyard.digests import Digest
from wheelyard.errors import NotFound, QueueUnavailable
from wheelyard.event import Seen
from wheelyard.jobs.states import Job

_CHUNK = 1 << 16
_LINES_ABOVE = 5
_MOST_STEPS = 16


def log_of(services: Services, job: Job) -> Iterator[bytes]:
    """Pieces of a job's log, and of the logs of the jobs that it waits for, each below its title.

    :raises StoreUnavailable: the store does not answer.
    """
    yield from _own_log(services, job)
    for child in services.ledger.get_many(job.children):
        yield f"\n==> {child.title} ({child.kind}, {child.state}, job {child.id})\n".encode()
        yield from log_of(services, child)


def log_from(services: Services, job: Job, line: int) -> Iterator[bytes]:
    """Pieces of a job's own log from a line on, and before them a line that says so.

    :param line: number, from 1.
    :raises StoreUnavailable: the store does not answer.
    """
    yield f"(from line {line} of the log of {job.title}; all of it: /v1/jobs/{job.id}/log)\n".encode()
    yield from _without_lines(_own_log(services, job), line - 1)


def log_from_error(services: Services, job: Job) -> Iterator[bytes]:
    """The log from a little above the first error of a failed job, or of the job that it failed for.

    Where none is known it is the whole log.

    :raises StoreUnavailable: the store does not answer.
    """
    failed = _to_blame(services, job)
    line = failed.error["facts"].get("log_line", 0) if failed.error else 0
    if not failed.log or not isinstance(line, int) or line < 1:
        return log_of(services, failed)
    return log_from(services, failed, max(1, line - _LINES_ABOVE))


def _to_blame(services: Services, job: Job) -> Job:
    """The job whose own work failed, where a job failed for one that it waited for."""
    for _step in range(_MOST_STEPS):
        below = job.error["facts"].get("failed_job") if job.error else None
        if not below:
            break
        try:
            job = services.ledger.get(str(below))
        except NotFound:
            break
    return job


def _without_lines(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The text without its first lines."""
    for piece in pieces:
        there = piece.count(b"\n") if count else 0
        if count and there < count:
            count -= there
            continue
        start = 0
        for _line in range(count):
            start = piece.index(b"\n", start) + 1
        count = 0
        yield piece[start:]


def _own_log(services: Services, job: Job) -> Iterator[bytes]:
    if not job.log:
        yield from _lines_so_far(services, job)
        return
    stream = services.store.open_blob(Digest.parse(job.log))
    if stream is None:
        yield f"(the log of {job.title}, {job.log}, is not in the store)\n".encode()
        return
    with stream, gzip.GzipFile(fileobj=stream) as text:
        try:
            while chunk := text.read(_CHUNK):
                yield chunk
        except (EOFError, gzip.BadGzipFile, zlib.error):
            yield b"\n(the log ends here: what the store holds is cut off)\n"


def _lines_so_far(services: Services, job: Job) -> Iterator[bytes]:
    """What a job without a kept log said live; its children's lines in the same stream are left out."""
    after, seen = "0", Seen()
    while True:
        try:
            batch = services.events.read(job.id, after, 0.0)
        except QueueUnavailable:
            yield b"(no log yet: Redis, which carries the live one, does not answer)\n"
            return
        if not batch:
            return
        after = batch[-1][0]
        for _entry, event in batch:
            if event.type == "line" and event.job == job.id and seen.is_new(event):
                yield f"{event.facts.get('text', '')}\n".encode()
