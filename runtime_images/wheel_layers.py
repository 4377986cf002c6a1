"""Wheel layers in the store: one for each wheel and toolchain image, shared by all images with that wheel."""

from __future__ import annotations

from pathlib import Path

from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import find_layer, keep_layer
from wheelyard.digests import Digest
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

FILLER_VERSION = 1
"""Raised when the filler itself would make another layer of the same wheel; part of every layer's name."""


def wheel_layer_document(wheel: Digest, toolchain_image: str) -> str:
    """Name of the document that says which layer a wheel became.

    :param toolchain_image: id of the compile image whose CPython and pip filled it, `sha256:…`.
    """
    image = Digest.parse(toolchain_image)
    return f"records/layers/wheels/{wheel.hex}-{image.hex}-{FILLER_VERSION}.json"


def find_wheel_layer(store: Store, wheel: Digest, toolchain_image: str) -> Layer | None:
    """The layer that a wheel became in a toolchain's image, or `None`."""
    return find_layer(store, wheel_layer_document(wheel, toolchain_image))


def missing_wheel_layers(spec: ImageSpec, store: Store) -> tuple[WheelPin, ...]:
    """The wheels of an image that have to be filled before it can be assembled, in layer order."""
    return tuple(
        pin
        for pin in spec.ordered_wheels
        if find_wheel_layer(store, pin.digest, spec.toolchain_image) is None
    )


def keep_wheel_layer(store: Store, pin: WheelPin, toolchain_image: str, tar: Path, scratch: Path) -> Layer:
    """Keep what `fill_wheel_layer` made; safe to repeat.

    :param tar: normalised and uncompressed.
    :param scratch: folder for the compressed bytes until they are stored.
    :raises StoredOtherBytes: the same wheel and image became another tar before.
    """
    return keep_layer(store, wheel_layer_document(pin.digest, toolchain_image), tar, pin.title, scratch)
