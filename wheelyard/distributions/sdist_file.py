"""The check of an sdist that somebody else made; runs nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wheelyard.distributions.core_metadata import (
    LONGEST_METADATA,
    CoreMetadata,
    read_core_metadata,
)
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.sdist_name import read_sdist_name, sdist_stem
from wheelyard.distributions.tar_archive import read_tar
from wheelyard.distributions.zip_archive import read_zip
from wheelyard.distributions.zip_bytes import member_bytes, member_pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSdist:
    """An sdist whose claims were found true.

    :param metadata: bytes of its PKG-INFO.
    """

    path: Path
    project: str
    version: str
    metadata: bytes
    found: CoreMetadata


def check_sdist_file(path: Path, limits: SizeLimits) -> CheckedSdist:
    """Verify that an sdist is one, and is the project and version that its name says (PEP 517, 625 and 721).

    It has one folder, named as it is, with a PKG-INFO; whatever is in it can be unpacked into that folder.

    :param path: a file with the sdist's own name, `.tar.gz` or `.zip`.
    :raises ForeignOutputRefused: it is not; the text says in which way.
    """
    refuse = Refusal(f"the sdist {path.name}")
    limits.check_file(path.stat().st_size, refuse)
    project, version = read_sdist_name(path.name, refuse)
    top = sdist_stem(path.name)
    read = _read_zipped if path.name.endswith(".zip") else _read_tarred
    metadata = read(path, top, limits, refuse)
    if metadata is None:
        raise refuse("its PKG-INFO is missing", f"{top}/PKG-INFO (PEP 625)")
    found = read_core_metadata(metadata, "PKG-INFO", refuse)
    if (found.project, found.version) != (project, version):
        raise refuse(
            "its PKG-INFO names another project or version (PEP 625)",
            f"{project} {version}",
            f"{found.project} {found.version}",
        )
    return CheckedSdist(path=path, project=str(project), version=str(version), metadata=metadata, found=found)


def _read_tarred(path: Path, top: str, limits: SizeLimits, refuse: Refusal) -> bytes | None:
    with path.open("rb") as stream:
        return read_tar(stream, path.stat().st_size, top, limits, refuse)


def _read_zipped(path: Path, top: str, limits: SizeLimits, refuse: Refusal) -> bytes | None:
    metadata = None
    with path.open("rb") as stream:
        for member in read_zip(stream, path.stat().st_size, limits, refuse):
            if member.name.partition("/")[0] != top or member.name == top:
                raise refuse("a member is outside of its folder", f"{top}/ (PEP 625)", member.name)
            if member.name == f"{top}/PKG-INFO":
                metadata = member_bytes(stream, member, LONGEST_METADATA, refuse)
                continue
            for _ in member_pieces(stream, member, refuse):
                pass
    return metadata
