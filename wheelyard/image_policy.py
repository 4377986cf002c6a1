"""What must hold of an image before it is published: the fields of a policy, in TOML and in a request."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from wheelyard.errors import InputError
from wheelyard.field_fault import expected_field, expected_value
from wheelyard.image_size import ImageSize

REQUEST = "request"
SERVICE = "service"
"""Whose a policy is: of one request, or of the whole service, which no request can loosen."""

_LARGEST = 1 << 20
_TABLE = "policy"
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ImagePolicy(BaseModel):
    """What must hold of an image. Patterns are those of `fnmatch`: `*` stands for any text, slashes too."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    forbidden_files: list[Pattern] = Field(
        [], max_length=500, description="Paths that no file may have; without a slash, file names."
    )
    forbidden_packages: list[Pattern] = Field(
        [], max_length=500, description="Debian packages that may not be in it, by name."
    )
    forbidden_projects: list[Pattern] = Field(
        [], max_length=500, description="Python projects that may not be in it, by name."
    )
    forbidden_tools: list[Pattern] = Field(
        [], max_length=100, description="Tools of the receipt that must be absent: `gcc`, `sh`, or `*`."
    )
    allowed_licences: list[Pattern] = Field(
        [], max_length=500, description="SPDX identifiers; where there are some, no other one may hold."
    )
    denied_licences: list[Pattern] = Field(
        [], max_length=500, description="SPDX identifiers that may not hold: `AGPL-*`."
    )
    licences_of: list[Literal["wheel", "package", "native"]] = Field(
        ["wheel", "package", "native"], description="Whose licences are looked at."
    )
    unknown_licences: Literal["allow", "refuse"] = Field(
        "allow", description="Whether what says nothing of its licence may be in it."
    )
    size_budget: ImageSize | None = Field(
        None, description="What all files may add up to: bytes, or `250 MB`, `160MiB`."
    )
    users: list[Pattern] = Field(
        [], max_length=100, description="UID:GID that it may run as; empty means any. `[1-9]*` is not root."
    )
    setuid: Literal["allow", "refuse"] = Field(
        "allow", description="Whether files with setuid or setgid bits, or capabilities, may be in it."
    )
    required_labels: dict[Pattern, Pattern] = Field(
        {}, max_length=100, description="Labels that it must have, each with a pattern of its value."
    )

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing."""
        return self == ImagePolicy()

    def to_document(self) -> dict[str, Any]:
        """Only what it asks for, as JSON-serialisable fields; `policies_of` is the inverse."""
        return self.model_dump(mode="json", exclude_defaults=True)


def policies_of(document: Mapping[str, Any] | None) -> dict[str, ImagePolicy]:
    """The policies of an image's request: whose it is to the policy. None has none.

    :raises InputError: a field is unknown or wrong; the message names it.
    """
    return {
        whose: parse_policy(policy, f"the policy of the {whose}")
        for whose, policy in (document or {}).items()
    }


def with_service_policy(policies: Mapping[str, Any] | None, path: Path | None) -> Mapping[str, Any] | None:
    """A request's policies with the one of the whole service, which takes the place of whatever stood there.

    :param path: of the service's policy; None where it has none.
    :raises InputError: it can't be read.
    """
    if path is None:
        return policies
    return {**(policies or {}), SERVICE: read_policy(path).to_document()}


def parse_policy(document: Mapping[str, Any], origin: str) -> ImagePolicy:
    """The fields of a document.

    :param origin: where they stand, for messages.
    :raises InputError: one is unknown, or has a value that it can't have.
    """
    try:
        return ImagePolicy.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            raise InputError(
                f"{origin} has an unknown field {place}",
                expected=expected_field(fault, tuple(ImagePolicy.model_fields), {}),
                field=place,
            ) from error
        raise InputError(
            f"{origin} is wrong at {place or 'its top'}",
            expected=expected_value(fault),
            found=repr(fault.get("input"))[:200],
            field=place,
        ) from error


def read_policy(path: Path) -> ImagePolicy:
    """The policy of a TOML file; its fields stand at the top, or in a table `[policy]`.

    :raises InputError: it can't be read, is no TOML, or has a wrong field.
    """
    try:
        with path.open("rb") as stream:
            body = stream.read(_LARGEST + 1)
        if len(body) > _LARGEST:
            raise InputError(f"{path} is too large", expected=f"at most {_LARGEST} bytes of TOML")
        document: Any = tomllib.loads(body.decode("utf-8"))
    except OSError as error:
        raise InputError(
            f"the policy {path} can't be read",
            found=error.strerror or str(error),
            do="name a TOML file that is there",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not TOML", found=str(error)) from error
    if set(document) == {_TABLE} and isinstance(document[_TABLE], dict):
        document = document[_TABLE]
    return parse_policy(document, str(path))
