"""What the second of two images costs whose difference is one wheel: in the store, and on the wire."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.images.figures import Figure, kilobytes
from bench.images.ours import Ours
from bench.images.projects import CHANGES, changed_set
from examples.demo.failure import DemoFailed

_METADATA_BYTES = 100_000
"""What a second image may add beside its one layer: config, manifest, record, receipt and the like."""


def measure_bytes(own: Ours, projects: Sequence[str], folder: Path) -> list[Figure]:
    """What the second of two images adds to the store and to a node, whose difference is one wheel."""
    change = CHANGES[0]
    own.build(projects)
    own.build(changed_set(projects, change))
    name = f"bench/bytes-{time.time_ns()}"
    first = own.image(projects, tags=[f"{name}:first"]).image
    changed = own.image(changed_set(projects, change))
    lone = {wheel.digest for wheel in changed.wheels}
    own.bucket.forget_wheel_layers(frozenset(lone - {wheel.digest for wheel in own.build(projects)}))
    before = own.bucket.content()
    second = own.image(changed_set(projects, change), tags=[f"{name}:second"]).image
    blobs, documents = own.bucket.added_bytes(before, own.bucket.content())
    there = {layer.digest for layer in first.layers}
    new = [layer for layer in second.layers if layer.digest not in there]
    layer_bytes = sum(layer.size for layer in new)
    layout = folder / "layout"
    shutil.rmtree(layout, ignore_errors=True)
    _copy(f"{own.registry}/{name}:first", layout)
    whole = _bytes_of(layout)
    _copy(f"{own.registry}/{name}:second", layout)
    sent = _bytes_of(layout) - whole
    shutil.rmtree(layout)
    return [
        Figure(what="layers of the second image that the first has not", value=len(new), unit=""),
        kilobytes("their bytes", layer_bytes),
        kilobytes("blobs that the second added to the store", blobs, layer_bytes + _METADATA_BYTES),
        kilobytes("documents that it added there", documents),
        kilobytes("fetched of the second by a node that has the first", sent, layer_bytes + _METADATA_BYTES),
        kilobytes("fetched of the first image", whole),
    ]  # fmt: skip


def _copy(reference: str, layout: Path) -> None:
    argv = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", "--insecure-policy"]
    tag = reference.rpartition(":")[2]
    done = subprocess.run(
        [*argv, f"docker://{reference}", f"oci:{layout}:{tag}"], capture_output=True, timeout=600, check=False
    )
    if done.returncode:
        raise DemoFailed("skopeo could not pull from the service", done.stderr.decode(errors="replace"))


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
