"""The facts of layers in the store: read out of a layer once, and kept beside it for every image."""

from __future__ import annotations

import json
from pathlib import Path

from runtime_images.layer_facts import LayerFacts
from runtime_images.layer_reading import read_facts
from wheelyard.digests import Digest, canonical_json
from wheelyard.store.contract import Store

FACTS_FORMAT = 2
"""Raised when more is read out of a layer; a part of the stored document's name."""


def load_facts(store: Store, diff_id: Digest) -> LayerFacts | None:
    """The facts of a layer, or `None` where nobody read them yet."""
    body = store.get_document(facts_document(diff_id))
    return None if body is None else LayerFacts.from_document(json.loads(body))


def keep_facts(store: Store, diff_id: Digest, tar: Path) -> LayerFacts:
    """Read a layer's tar and keep its facts; safe to repeat.

    :param diff_id: of the tar.
    :param tar: uncompressed.
    """
    facts = read_facts(tar)
    store.put_document(facts_document(diff_id), canonical_json(facts.to_document()))
    return facts


def facts_document(diff_id: Digest) -> str:
    """Name of the document with the facts of a layer."""
    return f"records/layers/facts-{FACTS_FORMAT}/{diff_id.hex}.json"
