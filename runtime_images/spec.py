"""What an image is asked to be: its wheels, base, application, the way it runs, and the key of all that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime_images.install_scheme import OWN_SCHEME, InstallScheme
from runtime_images.lower_layers import NOTHING_LOWER, LowerLayers
from runtime_images.wheel_tags import refuse_foreign_wheel
from wheelyard.digests import Digest, key_of
from wheelyard.errors import InputError
from wheelyard.health_check import HealthCheck
from wheelyard.image_record import WheelPin
from wheelyard.image_request import LAYER_LIMIT
from wheelyard.oci import Layer
from wheelyard.run_settings import check_run_settings

IMAGE_FORMAT = 2
"""Raised when the assembler itself would make another image of the same inputs; part of every image key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """Every input of one runtime image.

    :param toolchain: name of the toolchain, for people.
    :param toolchain_image: id of its compile image, `sha256:…`, in which wheel layers are filled.
    :param python_tag: for instance `cp311`.
    :param policy: platform tag of the toolchain (PEP 600), for instance `manylinux_2_36_x86_64`.
    :param base: the runtime base layer, or the lowest one of another base.
    :param more_base: what of the base lies above that, bottom first.
    :param scheme: where the base's Python lies and looks for packages.
    :param wheels: in any order; one per project.
    :param app: digest of an uncompressed tar of the application folder, or None.
    :param entrypoint: program and first arguments, as a list; no shell reads it.
    :param command: arguments after the entry point, which `run` may replace.
    :param environment: variables of the container.
    :param workdir: absolute path.
    :param user: `UID` or `UID:GID`, as numbers, so that Kubernetes can tell that it is not root.
    :param labels: image labels.
    :param allow_root: whether user 0 is meant.
    :param optional_libraries: sonames that may stay missing.
    :param app_wheel: a wheel that is the application; its layer lies above those of the others.
    :param packages: Debian packages, of which the files are taken that load.
    :param whole_packages: Debian packages with all their files and all that they depend on.
    :param natives: native artifacts, by name.
    :param ports: that it listens on, `8080/tcp`.
    :param healthcheck: None where there is none.
    :param format: of config and manifest, `oci` or `docker`.
    :param compression: of the layers, `gzip` or `zstd`.
    :param bytecode: whether wheel layers hold compiled Python files.
    :param layer_limit: layers at the most.
    :param lower: what lies between the base and the wheels; the names of packages and natives became these.
    :raises InputError: anything of this can't be; the message says what.
    """

    toolchain: str
    toolchain_image: str
    python_tag: str
    policy: str
    base: Layer
    wheels: tuple[WheelPin, ...]
    app: Digest | None = None
    entrypoint: tuple[str, ...] = ("python3",)
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/app"
    user: str = "1000:1000"
    labels: Mapping[str, str] = field(default_factory=dict)
    allow_root: bool = False
    optional_libraries: tuple[str, ...] = ()
    app_wheel: WheelPin | None = None
    packages: tuple[str, ...] = ()
    whole_packages: tuple[str, ...] = ()
    natives: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    healthcheck: HealthCheck | None = None
    format: str = "oci"
    compression: str = "gzip"
    bytecode: bool = True
    layer_limit: int = LAYER_LIMIT
    lower: LowerLayers = NOTHING_LOWER
    more_base: tuple[Layer, ...] = ()
    scheme: InstallScheme = OWN_SCHEME

    def __post_init__(self) -> None:
        Digest.parse(self.toolchain_image)
        _check_wheels(self)
        check_run_settings(self)

    @property
    def key(self) -> str:
        """The image key: 64 hexadecimal digits over every input, whatever order they were given in."""
        return key_of({**self.to_document(), "image_format": IMAGE_FORMAT})

    @property
    def ordered_wheels(self) -> tuple[WheelPin, ...]:
        """The wheels in the order of their layers: by project, so that equal requests are equal images.

        The application's own wheel changes most often, and lies above all others.
        """
        return (*sorted(self.wheels), *(() if self.app_wheel is None else (self.app_wheel,)))

    def to_document(self) -> dict[str, Any]:
        """The spec as JSON-serialisable fields, in canonical order."""
        document: dict[str, Any] = {
            "toolchain": self.toolchain,
            "toolchain_image": self.toolchain_image,
            "python_tag": self.python_tag,
            "policy": self.policy,
            "base": self.base.to_document(),
            "wheels": [wheel.to_document() for wheel in sorted(self.wheels)],
            "app": None if self.app is None else str(self.app),
            "entrypoint": list(self.entrypoint),
            "command": list(self.command),
            "environment": dict(self.environment),
            "workdir": self.workdir,
            "user": self.user,
            "labels": dict(self.labels),
            "allow_root": self.allow_root,
            "optional_libraries": sorted(set(self.optional_libraries)),
        }
        # What came later stands there only where it is said, so that the keys of earlier images hold.
        later: dict[str, Any] = {
            "app_wheel": None if self.app_wheel is None else self.app_wheel.to_document(),
            "packages": sorted(set(self.packages)),
            "whole_packages": sorted(set(self.whole_packages)),
            "natives": sorted(set(self.natives)),
            "ports": list(self.ports),
            "healthcheck": None if self.healthcheck is None else self.healthcheck.to_document(),
            "format": "" if self.format == "oci" else self.format,
            "compression": "" if self.compression == "gzip" else self.compression,
            "lower": None if self.lower == NOTHING_LOWER else self.lower.to_document(),
            "layer_limit": 0 if self.layer_limit == LAYER_LIMIT else self.layer_limit,
            "more_base": [layer.to_document() for layer in self.more_base],
            "scheme": None if self.scheme == OWN_SCHEME else self.scheme.to_document(),
        }
        document |= {name: value for name, value in later.items() if value}
        return document if self.bytecode else {**document, "bytecode": False}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ImageSpec:
        """Inverse of `to_document`; checks all of it again."""
        fields = dict(document)
        fields |= {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        fields["base"] = Layer.from_document(fields["base"])
        fields["wheels"] = tuple(WheelPin.from_document(wheel) for wheel in fields["wheels"])
        fields["app"] = None if fields["app"] is None else Digest.parse(fields["app"])
        fields["more_base"] = tuple(Layer.from_document(layer) for layer in fields.get("more_base", ()))
        fields["scheme"] = InstallScheme(**fields["scheme"]) if "scheme" in fields else OWN_SCHEME
        if "app_wheel" in fields:
            fields["app_wheel"] = WheelPin.from_document(fields["app_wheel"])
        if "lower" in fields:
            fields["lower"] = LowerLayers.from_document(fields["lower"])
        if "healthcheck" in fields:
            fields["healthcheck"] = HealthCheck.from_document(fields["healthcheck"])
        return cls(**fields)


def _check_wheels(spec: ImageSpec) -> None:
    seen: dict[str, WheelPin] = {}
    for pin in spec.ordered_wheels:
        refuse_foreign_wheel(pin, spec.python_tag, spec.policy)
        other = seen.setdefault(pin.project, pin)
        if other is not pin:
            raise InputError(
                f"the image would hold {pin.project} twice",
                expected="one wheel of each project",
                found=f"{other.filename} and {pin.filename}",
                do="pin one version in the requirements",
            )
