"""How accepting, claiming and the place in the queue grow with the length of the queue."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count

from bench.jobs.figures import Figures
from wheelyard.digests import key_of
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.queue_place import QueuePlaces
from wheelyard.jobs.states import Job, Kind

_TRIES = 100
_CLIENTS = 20
_QUEUES = ("toolchain.bench",)


def measure_growth(ledger: Ledger, lengths: Sequence[int]) -> dict[int, dict[str, Figures]]:
    """Times of each call with so many jobs queued.

    :param lengths: of the queue, rising.
    """
    numbers = count()
    found = {}
    queued = 0
    for length in lengths:
        while queued < length:
            _submit(ledger, next(numbers))
            queued += 1
        found[length] = _measure(ledger, numbers)
        queued = ledger.counts().get((Kind.WHEEL.value, "queued", _QUEUES[0]), 0)
    return found


def _measure(ledger: Ledger, numbers: Iterator[int]) -> dict[str, Figures]:
    accept, claim, place = [], [], []
    places = QueuePlaces(ledger)
    for _ in range(_TRIES):
        began = time.perf_counter()
        job = _submit(ledger, next(numbers))
        accept.append(time.perf_counter() - began)
        began = time.perf_counter()
        places.of(job)
        place.append(time.perf_counter() - began)
    for _ in range(_TRIES):
        began = time.perf_counter()
        (first,) = ledger.next_in_turn(_QUEUES)
        taken = ledger.claim(first.id, "bench", 60)
        claim.append(time.perf_counter() - began)
        if taken is None:
            raise RuntimeError("a worker runs beside the bench")
        ledger.succeed(taken, {})
    return {"accept": Figures.of(accept), "claim": Figures.of(claim), "place": Figures.of(place)}


def _submit(ledger: Ledger, number: int) -> Job:
    job, _ = ledger.submit(
        Kind.WHEEL, key_of(f"growth {number}"), spec={"n": number}, title=f"growth{number} 1.0",
        subject=f"growth{number}", toolchain="bench", client=f"client{number % _CLIENTS}",
    )  # fmt: skip
    return job
