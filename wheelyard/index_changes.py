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
    IMAGE_TAG = "image-tag"
    """The manifest that a tag stands for; an empty digest takes the tag away."""
    IMAGE_MANIFEST = "image-manifest"
    """A manifest that a repository has, or has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChange:
    """One change. Written to the store before the database shows it, so that the bucket alone tells all.

    :param at: epoch seconds.
    :param actor: who made it: a token's name.
    :param id: of its document in the store; those of later changes sort behind.
    """

    kind: Change
    at: float
    actor: str
    fields: dict[str, Any]
    id: str = ""

    @classmethod
    def from_document(cls, document: dict[str, Any], name: str = "") -> IndexChange:
        """A change out of its document in the store.

        :param name: the document's.
        """
        return cls(**{**document, "kind": Change(document["kind"]), "id": _id_of(name)})


def note_change(
    store: Store, kind: Change, actor: str, fields: dict[str, Any], clock: Callable[[], float] = time.time
) -> IndexChange:
    """Keep a change in the store."""
    at = clock()
    name = f"{CHANGES}{int(at * 1_000_000):020d}-{new_id()}.json"
    change = IndexChange(kind=kind, at=at, actor=actor, fields=fields, id=_id_of(name))
    document = {"kind": kind.value, "at": at, "actor": actor, "fields": fields}
    store.put_document(name, json.dumps(document, sort_keys=True).encode())
    return change


def read_changes(store: Store) -> Iterator[IndexChange]:
    """Every change, oldest first."""
    for name in store.list_documents(CHANGES):
        body = store.get_document(name)
        if body is not None:
            yield IndexChange.from_document(json.loads(body), name)


def _id_of(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".json")
