"""What an image is asked to be: its wheels, base, application, the way it runs, and the key of all that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime_images.wheel_tags import refuse_foreign_wheel
from wheelyard.digests import Digest, key_of
from wheelyard.errors import InputError
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer
from wheelyard.requests import ImageRequest

IMAGE_FORMAT = 1
"""Raised when the assembler itself would make another image of the same inputs; part of every image key."""

_USER = re.compile(r"(\d{1,10})(:\d{1,10})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"/(?:[^/\x00-\x1f\x7f]+/)*[^/\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """Every input of one runtime image.

    :param toolchain: name of the toolchain, for people.
    :param toolchain_image: id of its compile image, `sha256:…`, in which wheel layers are filled.
    :param python_tag: for instance `cp311`.
    :param policy: platform tag of the toolchain (PEP 600), for instance `manylinux_2_36_x86_64`.
    :param base: the runtime base layer.
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

    def __post_init__(self) -> None:
        Digest.parse(self.toolchain_image)
        _check_wheels(self)
        check_run_settings(self, allow_root=self.allow_root)

    @property
    def key(self) -> str:
        """The image key: 64 hexadecimal digits over every input, whatever order they were given in."""
        return key_of({**self.to_document(), "image_format": IMAGE_FORMAT})

    @property
    def ordered_wheels(self) -> tuple[WheelPin, ...]:
        """The wheels in the order of their layers: by project, so that equal requests are equal images."""
        return tuple(sorted(self.wheels))

    def to_document(self) -> dict[str, Any]:
        """The spec as JSON-serialisable fields, in canonical order."""
        return {
            "toolchain": self.toolchain,
            "toolchain_image": self.toolchain_image,
            "python_tag": self.python_tag,
            "policy": self.policy,
            "base": self.base.to_document(),
            "wheels": [wheel.to_document() for wheel in self.ordered_wheels],
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

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ImageSpec:
        """Inverse of `to_document`; checks all of it again."""
        fields = dict(document)
        for name in ("entrypoint", "command", "optional_libraries"):
            fields[name] = tuple(fields[name])
        fields["base"] = Layer.from_document(fields["base"])
        fields["wheels"] = tuple(WheelPin.from_document(wheel) for wheel in fields["wheels"])
        fields["app"] = None if fields["app"] is None else Digest.parse(fields["app"])
        return cls(**fields)


def check_run_settings(run: ImageSpec | ImageRequest, *, allow_root: bool = False) -> None:
    """Refuse what no image can be run with, before anything is built for it.

    :param allow_root: whether user 0 is meant.
    :raises InputError: the message says what it is.
    """
    _check_user(run.user, allow_root)
    _check_arguments("entry point", run.entrypoint)
    _check_arguments("command", run.command)
    _check_pairs(run)
    if not _PATH.fullmatch(run.workdir) or {"..", "."} & set(run.workdir.split("/")):
        raise InputError(
            "the working folder can't be used",
            expected="an absolute path without `..`, for instance /app",
            found=repr(run.workdir[:200]),
        )


def _check_wheels(spec: ImageSpec) -> None:
    seen: dict[str, WheelPin] = {}
    for pin in spec.wheels:
        refuse_foreign_wheel(pin, spec.python_tag, spec.policy)
        other = seen.setdefault(pin.project, pin)
        if other is not pin:
            raise InputError(
                f"the image would hold {pin.project} twice",
                expected="one wheel of each project",
                found=f"{other.filename} and {pin.filename}",
                do="pin one version in the requirements",
            )


def _check_user(user: str, allow_root: bool) -> None:
    match = _USER.fullmatch(user)
    if not match:
        raise InputError(
            "the image's user can't be used",
            expected="numbers: UID or UID:GID, for instance 1000:1000",
            found=repr(user[:80]),
        )
    if int(match[1]) == 0 and not allow_root:
        raise InputError(
            "the image would run as root",
            expected="a user other than 0",
            found=repr(user),
            do="choose another user, or allow root explicitly",
        )


def _check_arguments(role: str, arguments: Sequence[str]) -> None:
    if isinstance(arguments, str):
        raise InputError(
            f"the {role} must be a list",
            expected='a list of words, for instance ["python3", "main.py"]',
            found=repr(arguments)[:200],
            do="write it as a list; no shell is there to split it",
        )
    if any("\0" in word for word in arguments):
        raise InputError(f"the {role} holds a NUL character", found=repr(arguments)[:200])
    if arguments and not arguments[0] and role == "entry point":
        raise InputError("the entry point's program is empty", found=repr(arguments)[:200])


def _check_pairs(run: ImageSpec | ImageRequest) -> None:
    for name, value in run.environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise InputError(
                "a variable of the image can't be set",
                expected="a name of letters, digits and `_`, and a value without NUL",
                found=f"{name!r}={value!r}"[:200],
            )
    for name, value in run.labels.items():
        if not name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name + value):
            raise InputError(
                "a label of the image can't be set",
                expected="a name, and no line break or control character in name and value",
                found=f"{name!r}={value!r}"[:200],
            )
