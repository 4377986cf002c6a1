"""Tiny images in a store, for tests of what is done with images."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from wheelyard.oci import Image, Layer, Runtime, compress_layer, make_image
from wheelyard.store.contract import Store
from worker.kept_image import keep_documents


def tiny_image(
    store: Store, *files: Mapping[str, bytes], runtime: Runtime | None = None, busybox: Path | None = None
) -> Image:
    """An image with a layer for each mapping of path to bytes.

    :param busybox: a static one, which becomes the shell and the small programs of a layer below.
    """
    layers = [_layer(store, contents, f"layer {number}") for number, contents in enumerate(files)]
    if busybox is not None:
        program = busybox.read_bytes()
        below = {f"bin/{name}": program for name in ("busybox", "sh", "id", "pwd", "echo")}
        layers.insert(0, _layer(store, below, "busybox"))
    image = make_image(layers, runtime or Runtime(workdir="/", environment={"PATH": "/bin"}))
    keep_documents(store, image)
    return image


def _layer(store: Store, contents: Mapping[str, bytes], title: str) -> Layer:
    tar_bytes, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w") as tar:
        for path, body in contents.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(body), 0o755
            tar.addfile(member, io.BytesIO(body))
    tar_bytes.seek(0)
    layer = compress_layer(tar_bytes, packed, title)
    store.put_blob(packed.getvalue(), layer.digest)
    return layer
