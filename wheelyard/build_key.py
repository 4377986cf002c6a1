"""The build key: SHA-256 over every input of one wheel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wheelyard.digests import key_of

RECIPE_FORMAT = 1
"""Raised when the builder itself would make other bytes of the same inputs; part of every key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """Everything that can change the bytes of one wheel.

    :param project: canonical name (PEP 503).
    :param version: public version (PEP 440).
    :param sdist: digest of the source distribution, `sha256:…`.
    :param sdist_filename: its name, which decides how it is unpacked.
    :param toolchain: digest of the toolchain's compile image, `sha256:…`.
    :param target: platform policy that the wheel is repaired for, for instance `manylinux_2_36_x86_64`.
    :param python_tag: for instance `cp311`.
    :param build_wheels: every wheel of the build environment, file name to digest.
    :param environment: variables that the recipe sets.
    :param config_settings: PEP 517 config settings that the recipe sets.
    :param patches: digests of patches, in the order in which they are applied.
    :param variant: named choice inside the recipe; empty for its default.
    """

    project: str
    version: str
    sdist: str
    sdist_filename: str
    toolchain: str
    target: str
    python_tag: str
    build_wheels: dict[str, str]
    environment: dict[str, str]
    config_settings: dict[str, str]
    patches: tuple[str, ...] = ()
    variant: str = ""
    recipe_format: int = RECIPE_FORMAT

    @property
    def key(self) -> str:
        """The build key: 64 hexadecimal digits."""
        return key_of(self.to_document())

    def to_document(self) -> dict[str, Any]:
        """The inputs as JSON-serialisable fields, the very ones that the key covers."""
        return {**asdict(self), "patches": list(self.patches)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> BuildInputs:
        """Inverse of `to_document`."""
        return cls(**{**document, "patches": tuple(document["patches"])})
