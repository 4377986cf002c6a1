"""What a client asks an image to be: its wheels, what else is in it, and how it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelyard.build_request import BuildRequest
from wheelyard.health_check import HealthCheck

LAYER_LIMIT = 60
MOST_LAYERS = 120
"""Layers that engines and overlay file systems bear; 127 is docker's own end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """A runtime image of a set of requirements.

    :param build: its wheels.
    :param app: digest of a tar of the application's folder, a blob in the store; empty where there is none.
    :param app_wheel: digest of a wheel that is the application, a blob too; empty where there is none.
    :param app_wheel_name: that wheel's file name.
    :param packages: Debian packages, of which the files are taken that load.
    :param whole_packages: Debian packages with all their files and all that they depend on.
    :param natives: native artifacts that recipes make, by name.
    :param base: `slim`, `debug`, or `REPOSITORY@sha256:…`.
    :param entrypoint: argument list; empty means the toolchain's Python.
    :param command: arguments after the entry point.
    :param environment: variables of the image.
    :param labels: labels of the image.
    :param workdir: absolute path.
    :param user: `UID:GID`.
    :param allow_root: whether user 0 is meant.
    :param ports: that it listens on, `8080/tcp`; sorted.
    :param healthcheck: None where there is none.
    :param format: `oci` or `docker`.
    :param compression: of the layers, `gzip` or `zstd`.
    :param bytecode: whether the layers of wheels hold compiled Python files.
    :param layer_limit: layers at the most; small wheels share one above it.
    :param size_budget: bytes unpacked that it may have; None means any.
    :param optional_libraries: sonames that may stay missing.
    :param tags: `REPOSITORY:TAG` that name it in the service's own registry from then on.
    :param smoke_test: whether it is started once before it is published.
    :param check: Python source that the smoke test runs, beside the imports.
    :param policy: what must hold of it: whose policy it is to its fields, as `image_policy` reads them; None
        asks nothing.
    """

    build: BuildRequest
    app: str = ""
    app_wheel: str = ""
    app_wheel_name: str = ""
    packages: tuple[str, ...] = ()
    whole_packages: tuple[str, ...] = ()
    natives: tuple[str, ...] = ()
    base: str = "slim"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/app"
    user: str = "1000:1000"
    allow_root: bool = False
    ports: tuple[str, ...] = ()
    healthcheck: HealthCheck | None = None
    format: str = "oci"
    compression: str = "gzip"
    bytecode: bool = True
    layer_limit: int = LAYER_LIMIT
    size_budget: int | None = None
    optional_libraries: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    smoke_test: bool = True
    check: str = ""
    policy: Mapping[str, Any] | None = None

    def to_document(self) -> dict[str, Any]:
        """The request as JSON-serialisable fields."""
        return {
            "build": self.build.to_document(),
            "app": self.app,
            "app_wheel": self.app_wheel,
            "app_wheel_name": self.app_wheel_name,
            "packages": list(self.packages),
            "whole_packages": list(self.whole_packages),
            "natives": list(self.natives),
            "base": self.base,
            "entrypoint": list(self.entrypoint),
            "command": list(self.command),
            "environment": dict(self.environment),
            "labels": dict(self.labels),
            "workdir": self.workdir,
            "user": self.user,
            "allow_root": self.allow_root,
            "ports": list(self.ports),
            "healthcheck": None if self.healthcheck is None else self.healthcheck.to_document(),
            "format": self.format,
            "compression": self.compression,
            "bytecode": self.bytecode,
            "layer_limit": self.layer_limit,
            "size_budget": self.size_budget,
            "optional_libraries": list(self.optional_libraries),
            "tags": list(self.tags),
            "smoke_test": self.smoke_test,
            "check": self.check,
            "policy": None if self.policy is None else dict(self.policy),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ImageRequest:
        """Inverse of `to_document`; a field that an older document lacks is empty."""
        given = {name: document[name] for name in cls.__slots__ if name in document}
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        fields["build"] = BuildRequest.from_document(document["build"])
        if fields.get("healthcheck") is not None:
            fields["healthcheck"] = HealthCheck.from_document(fields["healthcheck"])
        return cls(**fields)
