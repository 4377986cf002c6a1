"""What changed in the index after a file was published, as documents of which the newest wins."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wheelyard.jobs.states import new_id
from wheelyard.store.contract import Store

CHANGES = "index/changes/"


class Change(StrEnum):
    """What a change is about; its fields are those of the row that it sets."""

    YANK = "yank"
    REMOVE = "remove"
    CHANNEL = "channel"
    PROJECT = "project"
    TOOLCHAIN = "toolchain"
    """The image that a toolchain's name stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChange:
    """One change. Written to the store before the database shows it, so that the bucket alone tells all.

    :param at: epoch seconds.
    :param actor: who made it: a token's name.
    """

    kind: Change
    at: float
    actor: str
    fields: dict[str, Any]

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> IndexChange:
        """A change out of its document in the store."""
        return cls(**{**document, "kind": Change(document["kind"])})


def note_change(
    store: Store, kind: Change, actor: str, fields: dict[str, Any], clock: Callable[[], float] = time.time
) -> IndexChange:
    """Keep a change in the store."""
    change = IndexChange(kind=kind, at=clock(), actor=actor, fields=fields)
    document = {"kind": kind.value, "at": change.at, "actor": actor, "fields": fields}
    name = f"{CHANGES}{int(change.at * 1_000_000):020d}-{new_id()}.json"
    store.put_document(name, json.dumps(document, sort_keys=True).encode())
    return change


def read_changes(store: Store) -> Iterator[IndexChange]:
    """Every change, oldest first."""
    for name in store.list_documents(CHANGES):
        body = store.get_document(name)
        if body is not None:
            yield IndexChange.from_document(json.loads(body))
