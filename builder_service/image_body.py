"""What clients send who ask for a runtime image, checked at the door."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from builder_service.bodies import MAX_REQUIREMENTS, BuildBody, Requirement
from builder_service.services import Services
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.image_fields import ImageFields
from wheelyard.image_policy import with_service_policy
from wheelyard.image_request import ImageRequest
from wheelyard.policy_check import refuse_early

BlobDigest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]


class ImageBody(BuildBody, ImageFields):
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
    requirements: list[Requirement] = Field(
        [],
        max_length=MAX_REQUIREMENTS,
        description="As those of a build; there may be none where the application or packages are all.",
    )
    app: BlobDigest = Field(
        "", description="Digest of a tar of the application's folder, sent by `PUT /v1/blobs/{digest}`."
    )
    app_wheel: BlobDigest = Field(
        "",
        description="Digest of a wheel that is the application, sent in the same way; what it requires is "
        "resolved with the requirements.",
    )
    app_wheel_name: str = Field("", max_length=255, description="That wheel's file name.")

    def image_request(self, services: Services) -> ImageRequest:
        """The request that the body stands for.

        :raises InputError: as `request`; or the image can't be, or its application was not uploaded.
        """
        request = self.checked_request(
            self.request(services), app=self.app, app_wheel=self.app_wheel, app_wheel_name=self.app_wheel_name
        )
        for digest, what in ((self.app, "the application"), (self.app_wheel, "the application's wheel")):
            _check_uploaded(services, digest, what)
        policies = with_service_policy(request.policy, services.settings.image_policy)
        request = replace(request, policy=policies)
        refuse_early(request)
        return request


def _check_uploaded(services: Services, digest: str, what: str) -> None:
    if digest and services.store.renew_blob(Digest.parse(digest)) is None:
        raise InputError(
            f"{what} was not uploaded",
            expected=f"a blob {digest}",
            do="send it with PUT /v1/blobs/{digest} first",
            digest=digest,
        )
