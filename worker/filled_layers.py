"""The layers of an image's wheels that are not there yet, filled one after the other in one container."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from runtime_images.spec import ImageSpec
from runtime_images.wheel_layers import WheelFill, keep_wheel_layer, missing_wheel_layers
from wheelyard.errors import InfrastructureError
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer
from worker.context import Work
from worker.toolchain_job import ReadyToolchain
from worker.wheel_clashes import KnownWheel, refuse_clashes
from worker.wheel_layer import Filling, filler_of

_PACKERS = 2
_WAITING = 4
"""Tars that may lie on the disk unpacked before the next wheel is filled."""


def fill_layers(work: Work, ready: ReadyToolchain, spec: ImageSpec) -> None:
    """Make the layer of each wheel of an image that has none; it is kept for every later image.

    :raises InputError: two of the wheels can't be in one image.
    """
    missing = missing_wheel_layers(spec, work.services.store)
    if missing:
        known = [
            KnownWheel(title=pin.title, filename=pin.filename, digest=pin.digest)
            for pin in spec.ordered_wheels
        ]
        refuse_clashes(work.services.store, known)
    fill_missing(work, ready, missing, WheelFill.of(spec))


def fill_missing(work: Work, ready: ReadyToolchain, pins: Sequence[WheelPin], fill: WheelFill) -> None:
    """Fill the layers of wheels in one container; while one is filled, those before it are compressed.

    :raises InfrastructureError: a wheel is not in the store any more.
    """
    if not pins:
        return
    services, folders = work.services, {pin: work.scratch / "layers" / pin.digest.hex for pin in pins}
    for pin, folder in folders.items():
        folder.mkdir(parents=True)
        if not services.store.fetch_blob(pin.digest, folder / pin.filename):
            raise InfrastructureError(
                f"{pin.filename} is not in the store any more", do="ask for the build again"
            )
    filling = Filling(
        engine=services.engine,
        image=ready.image,
        job=work.claim.id,
        owner=services.owner,
        settings=services.settings,
        scheme=fill.scheme,
        bytecode=fill.bytecode,
        on_line=work.log.line,
        watch=work.watch,
        python=ready.toolchain.python.executable,
    )

    def keep(pin: WheelPin, tar: Path) -> Layer:
        layer = keep_wheel_layer(services.store, pin, fill, tar, folders[pin])
        tar.unlink()
        return layer

    kept: list[Future[Layer]] = []
    with (
        ThreadPoolExecutor(_PACKERS, "pack-layer") as packers,
        filler_of([folder / pin.filename for pin, folder in folders.items()], filling) as fill_one,
    ):
        for number, (pin, folder) in enumerate(folders.items(), 1):
            work.check()
            # Displays take this form for steps.
            work.log.line(f"[{number}/{len(folders)}] filling the layer of {pin.title}")
            tar = fill_one(folder / pin.filename, folder / "layer.tar")
            kept.append(packers.submit(keep, pin, tar))
            if len(kept) >= _WAITING:
                kept[-_WAITING].result()
    for future in kept:
        future.result()
