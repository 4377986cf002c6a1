"""What clients send who ask for a runtime image, checked at the door."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from builder_service.bodies import BuildBody, Text
from builder_service.services import Services
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.health_check import HealthCheck
from wheelyard.image_checks import check_image_request
from wheelyard.image_request import LAYER_LIMIT, MOST_LAYERS, ImageRequest
from wheelyard.image_size import ImageSize
from wheelyard.run_settings import normal_ports

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,200}$")]
LabelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$")]
BlobDigest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Name = Annotated[str, StringConstraints(max_length=300)]


class HealthCheckBody(BaseModel):
    """A command that engines run in the container again and again."""

    model_config = ConfigDict(extra="forbid")
    test: list[Text] = Field(
        min_length=1, max_length=200, description="Program and arguments; no shell reads them."
    )
    interval: float = Field(30.0, description="Seconds between two runs.")
    timeout: float = Field(30.0, description="Seconds that one may take.")
    start_period: float = Field(0.0, description="Seconds after the start in which failures do not count.")
    retries: int = Field(3, description="Failures in a row that make the container unhealthy.")

    def health_check(self) -> HealthCheck:
        """The check that the body stands for."""
        return HealthCheck.from_document(self.model_dump())


class ImageBody(BuildBody):
    """A runtime image of a set of requirements; missing wheels are built first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "requirements": ["opencv-python-headless", "numpy"],
                    "toolchain": "debian12-cp311",
                    "entrypoint": ["python3", "/app/clip.py"],
                    "environment": {"PYTHONUNBUFFERED": "1"},
                    "labels": {"org.opencontainers.image.title": "clip"},
                    "packages": ["ffmpeg"],
                    "ports": ["8080/tcp"],
                    "size_budget": "250 MB",
                    "tags": ["team/clip:latest"],
                }
            ]
        },
    )
    app: BlobDigest = Field(
        "",
        description="Digest of a tar of the application's folder, sent by `PUT /v1/blobs/{digest}`.",
    )
    app_wheel: BlobDigest = Field(
        "", description="Digest of a wheel that is the application, sent in the same way."
    )
    app_wheel_name: str = Field("", max_length=255, description="That wheel's file name.")
    packages: list[Name] = Field(
        [], max_length=200, description="Debian packages, of which the files are taken that load."
    )
    whole_packages: list[Name] = Field(
        [], max_length=200, description="Debian packages with all their files and all that they depend on."
    )
    natives: list[Name] = Field([], max_length=50, description="Native artifacts that recipes make, by name.")
    base: str = Field(
        "slim", max_length=500, description="`slim`, `debug` (with a shell), or `REPOSITORY@sha256:…`."
    )
    entrypoint: list[Text] = Field([], max_length=200, description="Empty means the toolchain's Python.")
    command: list[Text] = Field([], max_length=200, description="Arguments after the entry point.")
    environment: dict[VariableName, Text] = Field({}, max_length=200, description="Variables of the image.")
    labels: dict[LabelName, Text] = Field({}, max_length=200, description="Labels of the image.")
    workdir: str = Field("/app", max_length=1000, description="Absolute path.")
    user: str = Field("1000:1000", max_length=80, description="UID:GID.")
    allow_root: bool = Field(False, description="Whether user 0 is meant.")
    ports: list[Name] = Field([], max_length=200, description="That it listens on: `8080/tcp`.")
    healthcheck: HealthCheckBody | None = Field(
        None,
        description="A field of docker's format; OCI has it as the label `wheelyard.healthcheck`.",
    )
    format: Literal["oci", "docker"] = Field("oci", description="Of config and manifest.")
    compression: Literal["gzip", "zstd"] = Field("gzip", description="Of the layers.")
    bytecode: bool = Field(True, description="Whether the layers of wheels hold compiled Python files.")
    layer_limit: int = Field(
        LAYER_LIMIT, description=f"Layers at the most, up to {MOST_LAYERS}; small wheels share one above it."
    )
    size_budget: ImageSize | None = Field(
        None, description="What all files of the image may add up to: bytes, or `250 MB`, `160MiB`."
    )
    optional_libraries: list[Name] = Field([], max_length=200, description="Sonames that may stay missing.")
    tags: list[Name] = Field(
        [],
        max_length=50,
        description="`REPOSITORY:TAG` that name it in this service's registry.",
    )
    smoke_test: bool = Field(True, description="Whether it is started once before it is published.")
    check: str = Field(
        "", max_length=65536, description="Python source that the smoke test runs, beside the imports."
    )
    policy: dict[str, Any] | None = Field(None, description="What must hold of the image.")

    def image_request(self, services: Services) -> ImageRequest:
        """The request that the body stands for.

        :raises InputError: as `request`; or the image can't be, or its application was not uploaded.
        """
        request = ImageRequest(
            build=self.request(services),
            app=self.app,
            app_wheel=self.app_wheel,
            app_wheel_name=self.app_wheel_name,
            packages=tuple(sorted(set(self.packages))),
            whole_packages=tuple(sorted(set(self.whole_packages))),
            natives=tuple(sorted(set(self.natives))),
            base=self.base,
            entrypoint=tuple(self.entrypoint),
            command=tuple(self.command),
            environment=self.environment,
            labels=self.labels,
            workdir=self.workdir,
            user=self.user,
            allow_root=self.allow_root,
            ports=normal_ports(self.ports),
            healthcheck=None if self.healthcheck is None else self.healthcheck.health_check(),
            format=self.format,
            compression=self.compression,
            bytecode=self.bytecode,
            layer_limit=self.layer_limit,
            size_budget=self.size_budget,
            optional_libraries=tuple(sorted(set(self.optional_libraries))),
            tags=tuple(sorted(set(self.tags))),
            smoke_test=self.smoke_test,
            check=self.check,
            policy=self.policy,
        )
        check_image_request(request)
        for digest, what in ((self.app, "the application"), (self.app_wheel, "the application's wheel")):
            _check_uploaded(services, digest, what)
        return request


def _check_uploaded(services: Services, digest: str, what: str) -> None:
    if digest and services.store.renew_blob(Digest.parse(digest)) is None:
        raise InputError(
            f"{what} was not uploaded",
            expected=f"a blob {digest}",
            do="send it with PUT /v1/blobs/{digest} first",
            digest=digest,
        )
