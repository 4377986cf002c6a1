"""The build key: SHA-256 over every input of one wheel."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from wheelyard.digests import key_of

RECIPE_FORMAT = 2
"""Raised when the builder itself would make other bytes of the same inputs; part of every key."""

ConfigSetting = str | list[str]
"""A config setting (PEP 517): a list is one that is given several times, as pip and build have it."""

_NOTHING: dict[str, Any] = {
    "build_deps": "wheels",
    "build_requires": [],
    "replaced_build_requires": None,
    "packages": {},
    "natives": {},
    "leave_out": [],
}
_ABSENT = object()


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
    :param build_deps: `source` where the build wheels were built here, too, else `wheels`.
    :param build_requires: build requirements that the recipe adds.
    :param replaced_build_requires: those that it puts in the place of the sdist's static ones; None for none.
    :param packages: Debian packages that the recipe adds to the toolchain, name to `VERSION sha256:…`, with
        all that they need beyond it.
    :param natives: native artifacts that it is compiled against, name to digest.
    :param leave_out: patterns of members that are left out of the wheel, as `fnmatch` reads them.
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
    config_settings: dict[str, ConfigSetting]
    patches: tuple[str, ...] = ()
    variant: str = ""
    build_deps: str = "wheels"
    build_requires: tuple[str, ...] = ()
    replaced_build_requires: tuple[str, ...] | None = None
    packages: dict[str, str] = field(default_factory=dict)
    natives: dict[str, str] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    recipe_format: int = RECIPE_FORMAT

    @property
    def key(self) -> str:
        """The build key: 64 hexadecimal digits."""
        return key_of(self.to_document())

    def to_document(self) -> dict[str, Any]:
        """The inputs as JSON-serialisable fields, the very ones that the key covers.

        What came later is absent where it says nothing, so that the keys from before it stay.
        """
        document = {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
        return {name: value for name, value in document.items() if value != _NOTHING.get(name, _ABSENT)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> BuildInputs:
        """Inverse of `to_document`."""
        lists = {name: tuple(value) for name, value in document.items() if isinstance(value, list)}
        return cls(**{**document, **lists})
