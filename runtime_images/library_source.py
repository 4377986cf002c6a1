"""Where libraries come from that neither a wheel, nor the base, nor the toolchain's image has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from runtime_images.package_layer import Packages


class LibrarySource(Protocol):
    """Finds the packages that have a library. The first answer for the same libraries and base holds."""

    @property
    def base_packages(self) -> Mapping[str, str]:
        """Name to version, of the Debian packages that lie below the libraries."""

    def find(self, sonames: Sequence[str]) -> Packages:
        """The packages that have libraries, and all that they need beyond the base.

        :param sonames: those that no package has are passed over.
        :raises InfrastructureError: the mirror does not answer.
        """

    def bring(self, packages: Packages) -> None:
        """Bring the files of packages into the store, which are needed where their layer has to be made.

        :raises InfrastructureError: the mirror does not answer, or has one of them no more.
        """

    def packages_with(self, soname: str) -> tuple[str, ...]:
        """Names of packages that have a library, for people; none where nobody knows."""


class NoSource:
    """Has nothing."""

    base_packages: Mapping[str, str] = MappingProxyType({})

    def find(self, sonames: Sequence[str]) -> Packages:
        """Nothing."""
        return Packages(sonames=tuple(sonames))

    def bring(self, packages: Packages) -> None:
        """Nothing."""

    def packages_with(self, soname: str) -> tuple[str, ...]:  # noqa: ARG002 - the contract's own argument
        """None."""
        return ()
