"""Wheel layers in the store: one for each wheel and toolchain image, shared by all images with that wheel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from runtime_images.at_once import at_once
from runtime_images.install_scheme import OWN_SCHEME, InstallScheme
from runtime_images.layer_order import WheelLayer
from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import find_layer, keep_layer
from runtime_images.wheel_requires import keep_requires, requires_of
from wheelyard.digests import Digest
from wheelyard.errors import Conflict
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

FILLER_VERSION = 2
"""Raised when the filler itself would make another layer of the same wheel; part of every layer's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFill:
    """All that makes one wheel another layer than it would be elsewhere.

    :param toolchain_image: id of the compile image whose CPython and pip fill it, `sha256:…`.
    :param scheme: where the image's Python looks for it.
    :param bytecode: whether it holds compiled Python files.
    """

    toolchain_image: str
    scheme: InstallScheme = OWN_SCHEME
    bytecode: bool = True

    @classmethod
    def of(cls, spec: ImageSpec) -> Self:
        """How the wheels of an image are filled."""
        return cls(toolchain_image=spec.toolchain_image, scheme=spec.scheme, bytecode=spec.bytecode)

    def document(self, wheel: Digest) -> str:
        """Name of the document that says which layer a wheel became."""
        image = Digest.parse(self.toolchain_image)
        kind = ("" if self.bytecode else "-sources") + self.scheme.suffix
        return f"records/layers/wheels/{wheel.hex}-{image.hex}-{FILLER_VERSION}{kind}.json"


def find_wheel_layer(store: Store, wheel: Digest, fill: WheelFill) -> Layer | None:
    """The layer that a wheel became, or `None`."""
    return find_layer(store, fill.document(wheel))


def missing_wheel_layers(spec: ImageSpec, store: Store) -> tuple[WheelPin, ...]:
    """The wheels of an image that have to be filled before it can be assembled."""
    fill, pins = WheelFill.of(spec), spec.ordered_wheels
    found = at_once(lambda pin: find_wheel_layer(store, pin.digest, fill), pins)
    return tuple(pin for pin, layer in zip(pins, found, strict=True) if layer is None)


def wheel_layers_of(spec: ImageSpec, store: Store, scratch: Path) -> list[WheelLayer]:
    """The layers of an image's wheels, by project, with what their places depend on.

    :param scratch: folder for tars that have to be unpacked.
    :raises Conflict: a wheel has no layer yet.
    """
    fill = WheelFill.of(spec)

    def find(pin: WheelPin) -> WheelLayer:
        layer = find_wheel_layer(store, pin.digest, fill)
        if layer is None:
            raise Conflict(
                f"{pin.title} has no layer yet",
                expected="a layer that was filled from the wheel",
                found="nothing in the store",
                do="ask for the image again; its wheels are filled first",
                wheel=pin.filename,
            )
        wheel = WheelLayer(pin=pin, layer=layer)
        # Nobody asks what a light one requires.
        requires = requires_of(store, layer, scratch) if wheel.is_heavy else frozenset[str]()
        return replace(wheel, requires=requires)

    return at_once(find, spec.ordered_wheels)


def keep_wheel_layer(store: Store, pin: WheelPin, fill: WheelFill, tar: Path, scratch: Path) -> Layer:
    """Keep what `fill_wheel_layer` made; safe to repeat.

    :param tar: normalised and uncompressed.
    :param scratch: folder for the compressed bytes until they are stored.
    :raises StoredOtherBytes: the same wheel and image became another tar before.
    """
    layer = keep_layer(store, fill.document(pin.digest), tar, pin.title, scratch)
    keep_requires(store, layer.diff_id, tar)
    return layer
