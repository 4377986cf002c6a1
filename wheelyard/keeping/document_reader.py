"""Many documents of a store, read in parallel and handed on one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from wheelyard.keeping.progress import Progress, no_progress
from wheelyard.store.contract import Store

READERS = 8
_BATCH = 256


def read_documents(
    store: Store, names: Iterable[str], progress: Progress = no_progress, step: str = ""
) -> Iterator[tuple[str, bytes]]:
    """Each document with its name, in the order of the names; one that is gone meanwhile is left out.

    No more than a few hundred are in memory at a time.

    :param step: what the progress is called.
    """
    wanted = list(names)
    rest, done = iter(wanted), 0
    with ThreadPoolExecutor(READERS) as pool:
        while batch := list(islice(rest, _BATCH)):
            for name, body in zip(batch, pool.map(store.get_document, batch), strict=True):
                done += 1
                if body is not None:
                    yield name, body
            progress(step, done, len(wanted))
