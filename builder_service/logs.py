"""A job's log as plain text: the finished one from the store, the running one from its live events."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from builder_service.services import Services
from wheelyard.digests import Digest
from wheelyard.errors import QueueUnavailable
from wheelyard.jobs.states import Job

_CHUNK = 1 << 16


def log_of(services: Services, job: Job) -> Iterator[bytes]:
    """Pieces of a job's log, and of the logs of the jobs that it waits for, each below its title.

    :raises StoreUnavailable: the store does not answer.
    """
    yield from _own_log(services, job)
    for child in services.ledger.get_many(job.children):
        yield f"\n==> {child.title} ({child.kind}, {child.state}, job {child.id})\n".encode()
        yield from log_of(services, child)


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
    after = "0"
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
            if event.type == "line" and event.job == job.id:
                yield f"{event.facts.get('text', '')}\n".encode()
