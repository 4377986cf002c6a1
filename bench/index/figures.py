"""The figures of one server with so many files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.index.corpus import Corpus
from bench.index.load import Rate, one_by_one, rush
from bench.index.served import Started

CLIENTS = 32
PACE = 200.0
"""Requests a second of all 32 clients, where they do not ask as fast as they can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured; loads by name, times in milliseconds, memory in bytes.

    :param loads: `cold page`, `page 1`, `page 32`, `page 32 paced`, and the same of `metadata`.
    """

    server: str
    version: str
    note: str
    files: int
    fill_seconds: float
    first_page_seconds: float
    memory_before: int
    memory: int
    loads: dict[str, Rate]

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields."""
        return asdict(self)


def measure(started: Started, corpus: Corpus, version: str, folder: Path, seconds: float) -> Figures:
    """Ask a server that has just started for everything.

    :param seconds: of each load.
    """
    server = started.server
    print(f"  {server.name}: {version}, {server.note}; {server.files} files in {server.fill_seconds:.1f} s")
    before = started.memory()
    loads = _Loads(started, folder, seconds)
    pages = [server.page(name) for name in corpus.hot]
    loads.take("cold page", lambda: one_by_one(server.base, [server.page(name) for name in corpus.cold]))
    one_by_one(server.base, pages)
    loads.take_three("page", pages)
    metadata = started.metadata_paths(corpus.hot[:50])
    if metadata:
        loads.take("cold metadata", lambda: one_by_one(server.base, metadata))
        loads.take_three("metadata", metadata)
    else:
        print("    it has no metadata beside its wheels (PEP 658)")
    memory = started.memory()
    print(f"    start to first page {started.first_page_seconds:.2f} s, memory {memory / 1e6:.0f} MB")
    return Figures(
        server=server.name,
        version=version,
        note=server.note,
        files=server.files,
        fill_seconds=server.fill_seconds,
        first_page_seconds=started.first_page_seconds,
        memory_before=before,
        memory=memory,
        loads=loads.found,
    )


class _Loads:
    """One load after the other, each printed as it ends."""

    def __init__(self, started: Started, folder: Path, seconds: float) -> None:
        self.found: dict[str, Rate] = {}
        self._started = started
        self._folder = folder
        self._seconds = seconds

    def take(self, what: str, load: Callable[[], Rate]) -> None:
        """Measure one, and what the server's processors did for it."""
        before = self._started.cpu_seconds()
        rate = load()
        spent = 1000 * (self._started.cpu_seconds() - before) / max(1, rate.requests)
        self.found[what] = replace(rate, cpu=round(spent, 3))
        print("    " + self.found[what].line(what))

    def take_three(self, what: str, paths: Sequence[str]) -> None:
        """One client, 32 as fast as they can, and 32 that pause."""
        for name, clients, pace in (("1", 1, 0.0), ("32", CLIENTS, 0.0), ("32 paced", CLIENTS, PACE)):

            def load(clients: int = clients, pace: float = pace) -> Rate:
                return rush(
                    self._started.server.base, paths,
                    clients=clients, seconds=self._seconds, folder=self._folder, per_second=pace,
                )  # fmt: skip

            self.take(f"{what} {name}", load)
