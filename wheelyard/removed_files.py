"""Files that were taken out of a channel: their names stay bound, and the bucket alone tells of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from wheelyard.digests import Digest
from wheelyard.store.contract import Store

REMOVED = "index/removed/"
_SHOWN = ".shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The newest removal of one file name from one channel.

    :param name: SHA-256 of the file's name, as the document that binds it is named.
    :param at: epoch seconds.
    :param shown: whether it was published again since.
    """

    channel: str
    name: str
    at: float
    shown: bool


def note_removed(
    store: Store, channel: str, project: str, filename: str, clock: Callable[[], float] = time.time
) -> None:
    """Keep in the store that a channel shows a file no more, before its row goes.

    :param project: canonical name.
    """
    at = clock()
    name = f"{_place(channel, project, filename)}{int(at * 1_000_000):020d}.json"
    store.put_document(name, json.dumps({"filename": filename, "at": at}, sort_keys=True).encode())


def note_shown(store: Store, channel: str, project: str, filename: str) -> None:
    """Keep in the store that a file is published again, where it had been removed; else a no-op."""
    names = list(store.list_documents(_place(channel, project, filename)))
    newest = max((name for name in names if not name.endswith(_SHOWN)), default=None)
    if newest is not None and newest + _SHOWN not in names:
        store.put_document(newest + _SHOWN, b"")


def removed_names(store: Store, channel: str, project: str) -> set[str]:
    """File names of a project that a channel showed once: each still stands for the bytes that it had."""
    found = set()
    for name in store.list_documents(f"{REMOVED}{channel}/{project}/"):
        if not name.endswith(_SHOWN) and (body := store.get_document(name)) is not None:
            found.add(str(json.loads(body)["filename"]))
    return found


def newest_removals(names: Iterable[str]) -> Iterator[Removal]:
    """The newest removal of each file.

    :param names: of all documents below `REMOVED`, sorted.
    """
    newest: dict[tuple[str, str], tuple[str, bool]] = {}
    for name in names:
        channel, _project, key, moment = name.removeprefix(REMOVED).split("/")
        newest[channel, key] = (moment.partition(".")[0], moment.endswith(_SHOWN))
    for (channel, key), (moment, shown) in newest.items():
        yield Removal(channel=channel, name=key, at=int(moment) / 1_000_000, shown=shown)


def _place(channel: str, project: str, filename: str) -> str:
    return f"{REMOVED}{channel}/{project}/{Digest.of(filename.encode()).hex}/"
