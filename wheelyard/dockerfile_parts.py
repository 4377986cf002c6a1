"""What a Dockerfile is made of: the wheels, layers and settings of one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelyard.digests import Digest
from wheelyard.health_check import HealthCheck
from wheelyard.image_record import WheelPin
from wheelyard.oci import MEDIA_LAYER

CONTEXT = "wheelyard"
"""Folder beside the Dockerfile that holds all that it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One file beside a Dockerfile, out of the service's store.

    :param path: below the Dockerfile's folder.
    """

    path: str
    digest: Digest

    def to_document(self) -> dict[str, str]:
        """JSON-serialisable fields."""
        return {"path": self.path, "digest": str(self.digest)}

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> ContextFile:
        """Inverse of `to_document`."""
        return cls(path=document["path"], digest=Digest.parse(document["digest"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """One layer of an image that a Dockerfile adds as it is.

    :param title: what it holds.
    """

    title: str
    digest: Digest
    media_type: str = MEDIA_LAYER

    @property
    def path(self) -> str:
        """Its place beside the Dockerfile."""
        return f"{CONTEXT}/layers/{self.digest.hex[:16]}.tar.gz"

    def to_document(self) -> dict[str, str]:
        """JSON-serialisable fields."""
        return {"title": self.title, "digest": str(self.digest), "media_type": self.media_type}

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> LayerFile:
        """Inverse of `to_document`."""
        return cls(
            title=document["title"],
            digest=Digest.parse(document["digest"]),
            media_type=document["media_type"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileParts:
    """What a Dockerfile is made of: a pure function of an image's inputs.

    :param image: digest of the image's own manifest.
    :param python: version of its Python: `3.11`.
    :param policy: platform tag that base and wheels keep to (PEP 600).
    :param base: reference of a base that was asked for by digest; empty for the toolchain's own.
    :param wheels: in any order.
    :param below: layers between the base and the wheels.
    :param above: layers above the wheels.
    :param bytecode: whether Python files are compiled.
    :param docker_format: whether the image is docker's, which knows health checks.
    """

    image: Digest
    toolchain: str
    python: str
    policy: str
    base: str = ""
    wheels: tuple[WheelPin, ...] = ()
    below: tuple[LayerFile, ...] = ()
    above: tuple[LayerFile, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str
    user: str
    ports: tuple[str, ...] = ()
    healthcheck: HealthCheck | None = None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    bytecode: bool = True
    docker_format: bool = False

    @property
    def context(self) -> tuple[ContextFile, ...]:
        """The files that lie beside the Dockerfile."""
        wheels = [
            ContextFile(path=f"{CONTEXT}/wheels/{pin.filename}", digest=pin.digest) for pin in self.wheels
        ]
        layers = [ContextFile(path=layer.path, digest=layer.digest) for layer in (*self.below, *self.above)]
        return (*wheels, *layers)

    def to_document(self) -> dict[str, Any]:
        """The parts as JSON-serialisable fields."""
        return {
            "image": str(self.image),
            "toolchain": self.toolchain,
            "python": self.python,
            "policy": self.policy,
            "base": self.base,
            "wheels": [pin.to_document() for pin in sorted(self.wheels)],
            "below": [layer.to_document() for layer in self.below],
            "above": [layer.to_document() for layer in self.above],
            "environment": dict(self.environment),
            "labels": dict(self.labels),
            "workdir": self.workdir,
            "user": self.user,
            "ports": list(self.ports),
            "healthcheck": None if self.healthcheck is None else self.healthcheck.to_document(),
            "entrypoint": list(self.entrypoint),
            "command": list(self.command),
            "bytecode": self.bytecode,
            "docker_format": self.docker_format,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DockerfileParts:
        """Inverse of `to_document`."""
        check = document["healthcheck"]
        return cls(
            **{
                **document,
                "image": Digest.parse(document["image"]),
                "wheels": tuple(WheelPin.from_document(pin) for pin in document["wheels"]),
                "below": tuple(LayerFile.from_document(layer) for layer in document["below"]),
                "above": tuple(LayerFile.from_document(layer) for layer in document["above"]),
                "ports": tuple(document["ports"]),
                "healthcheck": None if check is None else HealthCheck.from_document(check),
                "entrypoint": tuple(document["entrypoint"]),
                "command": tuple(document["command"]),
            }
        )


def dockerfile_document(key: str) -> str:
    """Name of an image's parts in the store.

    :param key: the image key.
    """
    return f"records/dockerfiles/{key}.json"
