"""The layer of the loader's cache: a function of the layers of system libraries, and shared like them."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.loader_cache import PATH, make_cache
from runtime_images.stored_layers import find_layer, keep_layer
from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.digests import key_of
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

LOADER_LAYER_FORMAT = 2
"""Raised when the same layers would get another cache; part of its name."""


def make_loader_layer(
    store: Store,
    layers: Sequence[Layer],
    tree: FileTree,
    elves: Mapping[str, ElfNeeds],
    machine: str,
    scratch: Path,
) -> Layer:
    """The layer with the cache of the libraries in the layers below the wheels; kept in the store.

    :param layers: the base and all layers of system libraries, bottom first.
    :param tree: what they add up to.
    :param elves: needs of the ELF files in them, by path.
    """
    below = [str(layer.diff_id) for layer in layers]
    name = f"records/layers/loader/{key_of({'below': below, 'format': LOADER_LAYER_FORMAT})}.json"
    kept = find_layer(store, name)
    if kept is not None:
        return kept
    body = make_cache(tree, elves, machine)
    with tempfile.NamedTemporaryFile(dir=scratch, prefix="loader-", suffix=".tar") as tar:
        opener = partial(io.BytesIO, body)
        write_layer_tar(tar, [NewMember(path=PATH, kind=tarfile.REGTYPE, size=len(body), opener=opener)])
        tar.flush()
        return keep_layer(store, name, Path(tar.name), "ld.so.cache", scratch)
