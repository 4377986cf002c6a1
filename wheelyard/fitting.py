"""Wheels that fit more than the toolchain that built them: pure ones, and those of the stable ABI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelyard.build_key import BuildInputs
from wheelyard.digests import canonical_json, key_of
from wheelyard.toolchains import Toolchain
from wheelyard.wheel_record import WheelRecord
from wheelyard.wheel_tags import accepted_tags

FITTING = "records/fitting/"
_OF_ONE_TOOLCHAIN = ("toolchain", "target", "python_tag", "build_wheels")
_DECLARED = Version("2.2")
_DEPENDENCIES = frozenset({"requires-dist", "requires-python", "provides-extra"})
_LAST_PATCH = 99
"""Whoever asks for a patch release of Python is not satisfied with the minor version alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittingWheel:
    """The note that a wheel may fit other toolchains than its own.

    :param shared_key: over what the builds of all toolchains have in common.
    :param toolchain: name of the one that built it.
    :param digest: of the wheel, as `sha256:…`.
    """

    shared_key: str
    build_key: str
    toolchain: str
    digest: str
    published_at: float

    @classmethod
    def of_record(cls, record: WheelRecord) -> FittingWheel:
        """The note about a record's wheel."""
        return cls(
            shared_key=shared_key(record.inputs),
            build_key=record.key,
            toolchain=record.toolchain,
            digest=str(record.digest),
            published_at=record.published_at,
        )

    @property
    def document_name(self) -> str:
        """Its place in the store."""
        return f"{fitting_folder(self.shared_key)}{self.build_key}.json"

    def to_bytes(self) -> bytes:
        """The note as it is stored."""
        return canonical_json({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_bytes(cls, body: bytes) -> FittingWheel:
        """Inverse of `to_bytes`."""
        document: Mapping[str, Any] = json.loads(body)
        return cls(**document)


def shared_key(inputs: BuildInputs) -> str:
    """Key over what the builds of one wheel under several toolchains have in common: sources and recipe.

    Of packages and natives their names are taken, since each toolchain has its own versions of them.
    """
    document = inputs.to_document()
    own = {name: value for name, value in document.items() if name not in _OF_ONE_TOOLCHAIN}
    return key_of({**own, "packages": sorted(inputs.packages), "natives": sorted(inputs.natives)})


def fitting_folder(key: str) -> str:
    """Where the notes of one shared key lie."""
    return f"{FITTING}{key}/"


def fits_others(filename: str) -> bool:
    """Whether a wheel's tags let it run under other Pythons: pure, or of the stable ABI (PEP 425, 384)."""
    return all(_is_shared(tag) for tag in parse_wheel_filename(filename)[3])


def has_stable_abi(filename: str) -> bool:
    """Whether a wheel claims CPython's stable ABI."""
    return any(tag.abi == "abi3" for tag in parse_wheel_filename(filename)[3])


def _is_shared(tag: Tag) -> bool:
    pure = tag.abi == "none" and tag.platform == "any" and tag.interpreter.startswith("py")
    return pure or tag.abi == "abi3"


def declares_dependencies(pkg_info: bytes) -> bool:
    """Whether an sdist's metadata holds for every wheel of it, whichever Python builds that (PEP 643).

    :param pkg_info: its PKG-INFO.
    """
    headers = HeaderParser().parsestr(pkg_info.decode(errors="replace"))
    try:
        version = Version(str(headers.get("Metadata-Version", "")).strip())
    except InvalidVersion:
        return False
    dynamic = {str(name).strip().lower() for name in headers.get_all("Dynamic") or []}
    return version >= _DECLARED and not dynamic & _DEPENDENCIES


def fits(record: WheelRecord, toolchain: Toolchain) -> bool:
    """Whether a record's wheel runs on a toolchain's Python and platform, whatever built it."""
    tags = parse_wheel_filename(record.filename)[3]
    if not fits_others(record.filename) or not tags & accepted_tags(toolchain.python.tag, toolchain.policy):
        return False
    try:
        wanted = SpecifierSet(record.requires_python)
    except InvalidSpecifier:
        return False
    version = toolchain.python.version
    return all(wanted.contains(f"{version}.{patch}") for patch in (0, _LAST_PATCH))
