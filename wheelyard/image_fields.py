"""The fields of an image: one name and one meaning in a spec file, in a request and in options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wheelyard.build_request import BuildRequest
from wheelyard.health_check import HealthCheck
from wheelyard.image_checks import check_image_request
from wheelyard.image_policy import REQUEST, ImagePolicy
from wheelyard.image_request import LAYER_LIMIT, MOST_LAYERS, ImageRequest
from wheelyard.image_size import ImageSize
from wheelyard.policy_check import refuse_early
from wheelyard.run_settings import normal_ports

Text = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(max_length=300)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,200}$")]
LabelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$")]


class HealthCheckFields(BaseModel):
    """A command that engines run in the container again and again."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    test: list[Text] = Field(
        min_length=1, max_length=200, description="Program and arguments; no shell reads them."
    )
    interval: float = Field(30.0, description="Seconds between two runs.")
    timeout: float = Field(30.0, description="Seconds that one may take.")
    start_period: float = Field(0.0, description="Seconds after the start in which failures do not count.")
    retries: int = Field(3, description="Failures in a row that make the container unhealthy.")

    def health_check(self) -> HealthCheck:
        """The check that the fields stand for."""
        return HealthCheck.from_document(self.model_dump())


class ImageFields(BaseModel):
    """What an image is, beside its wheels and its application."""

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
    healthcheck: HealthCheckFields | None = Field(
        None, description="A field of docker's format; OCI has it as the label `wheelyard.healthcheck`."
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
        [], max_length=50, description="`REPOSITORY:TAG` that name it in this service's registry."
    )
    smoke_test: bool = Field(True, description="Whether it is started once before it is published.")
    check: str = Field(
        "", max_length=65536, description="Python source that the smoke test runs, beside the imports."
    )
    policy: ImagePolicy | None = Field(None, description="What must hold of the image.")

    def checked_request(
        self, build: BuildRequest, *, app: str = "", app_wheel: str = "", app_wheel_name: str = ""
    ) -> ImageRequest:
        """The request that the fields stand for.

        :param app: digest of the application's tar; empty where there is none.
        :param app_wheel: digest of the application's wheel; empty where there is none.
        :raises InputError: no image can be that.
        """
        request = ImageRequest(
            build=build,
            app=app,
            app_wheel=app_wheel,
            app_wheel_name=app_wheel_name,
            packages=_sorted(self.packages),
            whole_packages=_sorted(self.whole_packages),
            natives=_sorted(self.natives),
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
            optional_libraries=_sorted(self.optional_libraries),
            tags=_sorted(self.tags),
            smoke_test=self.smoke_test,
            check=self.check,
            policy=None if self.policy is None else {REQUEST: self.policy.to_document()},
        )
        check_image_request(request)
        refuse_early(request)
        return request


def _sorted(names: list[str]) -> tuple[str, ...]:
    """Each once, and in one order: who asks for the same in another order asks for the same image."""
    return tuple(sorted(set(names)))
