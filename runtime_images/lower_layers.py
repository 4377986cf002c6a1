"""What lies between base and wheels: further layers of the base, Debian packages, native artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime_images.system_layer import SystemLayer
from wheelyard.oci import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerLayers:
    """Layers above the base's first one that no wheel has a part in, so that equal ones are shared.

    :param layers: bottom first.
    :param packages: Debian packages of these layers, name to version; those of the base are not among them.
    :param libraries: soname to path of the libraries that packages brought.
    :param left_out: sonames that packages name and no package has.
    """

    layers: tuple[Layer, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def with_layer(self, system: SystemLayer, *, left_out: bool = False) -> LowerLayers:
        """These with one more on top.

        :param left_out: whether what it lacks is left out for good, and not looked for elsewhere.
        """
        lacking = system.nowhere if left_out else ()
        return replace(
            self,
            layers=self.layers if system.layer is None else (*self.layers, system.layer),
            packages={**self.packages, **system.packages},
            libraries={**self.libraries, **system.libraries},
            left_out=tuple(sorted({*self.left_out, *lacking})),
        )

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "layers": [layer.to_document() for layer in self.layers],
            "packages": dict(self.packages),
            "libraries": dict(self.libraries),
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LowerLayers:
        """Inverse of `to_document`."""
        return cls(
            layers=tuple(Layer.from_document(layer) for layer in document["layers"]),
            packages=document["packages"],
            libraries=document["libraries"],
            left_out=tuple(document["left_out"]),
        )


NOTHING_LOWER = LowerLayers()
