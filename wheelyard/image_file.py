"""The file that says what an image is: `image.toml`, or [tool.wheelyard.image] of a pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wheelyard.errors import InputError
from wheelyard.field_fault import expected_field, expected_value
from wheelyard.image_fields import HealthCheckFields, ImageFields
from wheelyard.image_policy import ImagePolicy
from wheelyard.limits import NOTHING_ASKED, AskedLimits

_LARGEST = 1 << 20
_TABLE = ("tool", "wheelyard", "image")
_OFTEN_MEANT = {
    "env": "environment",
    "cmd": "command",
    "apt": "packages",
    "system_packages": "packages",
    "debian_packages": "packages",
    "dependencies": "requirements",
    "requirement": "requirements",
    "lock": "requirement_files",
    "working_dir": "workdir",
    "expose": "ports",
    "port": "ports",
    "health_check": "healthcheck",
    "budget": "size_budget",
    "max_size": "size_budget",
    "root": "allow_root",
}


class ImageFile(ImageFields):
    """What `wheelyard image` is asked for: the wheels, the application, and all else that the image is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    requirements: list[str] = Field(
        [], description="PEP 508, or paths of projects (`.`, `./app`), as on the command line."
    )
    requirement_files: list[str] = Field(
        [], description="Requirements, locks (pip-tools, uv.lock, pylock.toml) or a pyproject.toml."
    )
    constraints: list[str] = Field(
        [], description="Versions that hold for whatever the requirements turn out to need: `numpy==2.4.6`."
    )
    constraint_files: list[str] = Field([], description="Files with such lines.")
    build_constraints: list[str] = Field([], description="The same for what things are built with.")
    build_constraint_files: list[str] = Field([], description="Files with such lines.")
    extras: list[str] = Field([], description="Extras of a project or a lock.")
    groups: list[str] = Field([], description="Dependency groups of a project or a lock (PEP 735).")
    locked: bool = Field(False, description="Refuse what has no exact version and hash in the files.")
    build_deps: Literal["wheels", "source"] = Field(
        "wheels", description="Where build requirements come from."
    )
    variants: dict[str, str] = Field({}, description="Which variant of its recipe a project is built in.")
    toolchain: str = Field("", description="Its name; empty means the service's default one.")
    channel: str = Field("default", description="Index in which the wheels are shown.")
    limits: AskedLimits = Field(NOTHING_ASKED, description="Of each build.")
    app: str = Field(
        "", description="The application: a folder, whose .dockerignore is followed, or a wheel (.whl)."
    )
    policy_file: str = Field("", description="A TOML file with what must hold of the image.")


def read_image_file(path: Path) -> dict[str, Any]:
    """What a file asks for, only the fields that are in it; paths in it are those from its folder on.

    :param path: of a TOML file; of a pyproject.toml the table [tool.wheelyard.image] is read.
    :raises InputError: it can't be read, or says what it can't; the message says where and why.
    """
    document = _document(path)
    asked = parse_image_file(document, str(path))
    given = {name: document[name] for name in asked.model_fields_set}
    for name in ("requirement_files", "constraint_files", "build_constraint_files"):
        if name in given:
            given[name] = [_below(path.parent, text) for text in given[name]]
    if "requirements" in given:
        given["requirements"] = [
            _below(path.parent, text) if _is_path(text) else text for text in given["requirements"]
        ]
    for name in ("app", "policy_file"):
        if given.get(name):
            given[name] = _below(path.parent, given[name])
    return given


def parse_image_file(document: Mapping[str, Any], origin: str) -> ImageFile:
    """The fields of a document.

    :param origin: where they stand, for messages.
    :raises InputError: one is unknown, or has a value that it can't have.
    """
    try:
        return ImageFile.model_validate(document)
    except ValidationError as error:
        raise _fault(error.errors()[0], origin) from error


def image_schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors that complete and check it (draft 2020-12)."""
    schema = ImageFile.model_json_schema()
    schema["title"] = "Image"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            body = stream.read(_LARGEST + 1)
        if len(body) > _LARGEST:
            raise InputError(f"{path} is too large", expected=f"at most {_LARGEST} bytes of TOML")
        found: Any = tomllib.loads(body.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read", found=error.strerror or str(error)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not TOML", found=str(error)) from error
    if path.name != "pyproject.toml":
        return dict(found)
    for name in _TABLE:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise InputError(
            f"{path} says nothing of an image",
            expected=f"a table [{'.'.join(_TABLE)}]",
            do="add one, or name a file of its own with --spec",
        )
    return found


def _fault(fault: Any, origin: str) -> InputError:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return InputError(
            f"{origin} has an unknown field {place}",
            expected=expected_field(fault, _fields_at(fault["loc"]), _OFTEN_MEANT),
            field=place,
        )
    return InputError(
        f"{origin} is wrong at {place or 'its top'}",
        expected=expected_value(fault),
        found=repr(fault.get("input"))[:200],
        field=place,
    )


def _fields_at(place: Sequence[int | str]) -> tuple[str, ...]:
    tables: dict[str, type[BaseModel]] = {
        "healthcheck": HealthCheckFields,
        "limits": AskedLimits,
        "policy": ImagePolicy,
    }
    return tuple(tables.get(str(place[0]) if len(place) > 1 else "", ImageFile).model_fields)


def _is_path(text: str) -> bool:
    from wheelyard.inputs.read import is_path

    return is_path(text)


def _below(folder: Path, text: str) -> str:
    """A path as the file's folder sees it; an absolute one, and one from a home, stay what they are."""
    joined = str(folder / Path(text).expanduser())
    # Written so that it is a path, and no requirement, to whoever reads it.
    return joined if joined.startswith(("/", "./", "../")) else f"./{joined}"
