"""Core metadata: what a METADATA or PKG-INFO says of its distribution (PEP 566 and 643)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.parser import HeaderParser

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelyard.distributions.refusal import Refusal

LONGEST_METADATA = 8 << 20
_LONGEST_VALUE = 200
_FORMAT = re.compile(r"[12]\.\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMetadata:
    """The headers that an index and an installer decide by.

    :param project: canonical name.
    """

    project: NormalizedName
    version: Version
    requires_python: str
    requires_dist: tuple[str, ...]


def read_core_metadata(body: bytes, place: str, refuse: Refusal) -> CoreMetadata:
    """Read it; name and version must be there once, and be such.

    :param place: METADATA or PKG-INFO, for the errors.
    :raises ForeignOutputRefused: they are not.
    """
    headers = HeaderParser().parsestr(body.decode(errors="replace"))
    names, versions = headers.get_all("Name") or [], headers.get_all("Version") or []
    pythons = headers.get_all("Requires-Python") or []
    if len(names) != 1 or len(versions) != 1 or len(pythons) > 1:
        raise refuse(f"its {place} can't be read", "Name and Version once (PEP 566)", [*names, *versions])
    try:
        project = canonicalize_name(names[0].strip(), validate=True)
        version = Version(versions[0].strip())
    except (InvalidName, InvalidVersion) as error:
        raise refuse(
            f"its {place} has a name or version that is none", "PEP 508 and PEP 440", error
        ) from error
    return CoreMetadata(
        project=project,
        version=version,
        requires_python=pythons[0].strip() if pythons else "",
        requires_dist=tuple(headers.get_all("Requires-Dist") or ()),
    )


def check_for_publication(body: bytes, found: CoreMetadata, place: str, refuse: Refusal) -> None:
    """What an index must be able to rely on, beyond name and version: clients stop at a page that is wrong.

    :raises ForeignOutputRefused: Metadata-Version, Requires-Python or a Requires-Dist is not one.
    """
    form = HeaderParser().parsestr(body.decode(errors="replace")).get("Metadata-Version", "")
    if not _FORMAT.fullmatch(form.strip()):
        raise refuse(f"its {place} has a Metadata-Version that is none", "1.0 to 2.9 (PEP 566, 643)", form)
    try:
        SpecifierSet(found.requires_python)
    except InvalidSpecifier as error:
        raise refuse("its Requires-Python can't be read", "PEP 345 and 440", error) from error
    if len(found.requires_python) > _LONGEST_VALUE or not found.requires_python.isprintable():
        raise refuse("its Requires-Python is too long", f"at most {_LONGEST_VALUE} letters")
    if max(len(found.project), len(str(found.version)) * 2) > _LONGEST_VALUE:
        raise refuse("its name or version is too long", f"{_LONGEST_VALUE} and {_LONGEST_VALUE // 2} letters")
    for line in found.requires_dist:
        try:
            Requirement(line)
        except InvalidRequirement as error:
            raise refuse("a Requires-Dist can't be read", "PEP 508", error) from error
