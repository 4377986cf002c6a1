"""One layer of system libraries or packages: what is in it, what could not be had, and its keeping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime_images.stored_layers import find_layer
from wheelyard.digests import canonical_json
from wheelyard.oci import Layer
from wheelyard.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLayer:
    """A layer of shared libraries or packages, and where they come from.

    :param layer: None where nothing could be or had to be taken.
    :param libraries: soname to path in the image.
    :param packages: Debian package to version.
    :param nowhere: soname that nothing provides, to the path of the file in the layer that needs it; empty
        for one that was asked for.
    """

    layer: Layer | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    nowhere: Mapping[str, str] = field(default_factory=dict)


def layer_document(kind: str, key: str) -> str:
    """Where the layer itself is kept.

    :param kind: folder below `records/layers/`.
    :param key: over every input.
    """
    return f"records/layers/{kind}/{key}.json"


def find_system_layer(store: Store, kind: str, key: str) -> SystemLayer | None:
    """What was kept under a key, or `None`, also where the layer's bytes are lost."""
    body = store.get_document(_facts_document(kind, key))
    if body is None:
        return None
    facts = json.loads(body)
    layer = find_layer(store, layer_document(kind, key)) if facts.pop("has_layer") else None
    system = SystemLayer(layer=layer, **facts)
    return None if json.loads(body)["has_layer"] and layer is None else system


def keep_system_layer(store: Store, kind: str, key: str, system: SystemLayer) -> None:
    """Keep what is in a layer that was kept; safe to repeat."""
    facts = {
        "has_layer": system.layer is not None,
        "libraries": dict(system.libraries),
        "packages": dict(system.packages),
        "nowhere": dict(system.nowhere),
    }
    store.put_document(_facts_document(kind, key), canonical_json(facts))


def _facts_document(kind: str, key: str) -> str:
    return f"records/layers/{kind}/{key}-packages.json"
