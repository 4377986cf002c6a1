"""The check of an sdist that somebody else made; runs nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelyard.distributions.core_metadata import (
    LONGEST_METADATA,
    CoreMetadata,
    read_core_metadata,
)
from wheelyard.distributions.member_names import TopFolder
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
    return _check(
        path, path.name, (project, version), TopFolder(refuse, sdist_stem(path.name)), limits, refuse
    )


def check_source_file(
    path: Path, filename: str, project: str, version: str, limits: SizeLimits
) -> CheckedSdist:
    """The same for an sdist that an index has: its name may be from before PEP 625, and its folder's, too.

    :param path: the file, under whatever name.
    :param filename: its name on the index, `.tar.gz` or `.zip`.
    :param project: whose page lists it; canonical.
    :param version: that the index has it for.
    :raises ForeignOutputRefused: it is not that project's sdist, or can't be unpacked into one folder.
    """
    refuse = Refusal(f"the sdist {filename}")
    limits.check_file(path.stat().st_size, refuse)
    expected = (canonicalize_name(project), Version(version))
    return _check(path, filename, expected, TopFolder(refuse), limits, refuse)


def _check(
    path: Path,
    filename: str,
    expected: tuple[NormalizedName, Version],
    top: TopFolder,
    limits: SizeLimits,
    refuse: Refusal,
) -> CheckedSdist:
    read = _read_zipped if filename.endswith(".zip") else _read_tarred
    metadata = read(path, top, limits, refuse)
    project, version = expected
    if metadata is None:
        raise refuse("its PKG-INFO is missing", f"{top.name or sdist_stem(filename)}/PKG-INFO (PEP 625)")
    found = read_core_metadata(metadata, "PKG-INFO", refuse)
    if (found.project, found.version) != expected:
        raise refuse(
            "its PKG-INFO names another project or version (PEP 625)",
            f"{project} {version}",
            f"{found.project} {found.version}",
        )
    return CheckedSdist(path=path, project=str(project), version=str(version), metadata=metadata, found=found)


def _read_tarred(path: Path, top: TopFolder, limits: SizeLimits, refuse: Refusal) -> bytes | None:
    with path.open("rb") as stream:
        return read_tar(stream, path.stat().st_size, top, limits, refuse)


def _read_zipped(path: Path, top: TopFolder, limits: SizeLimits, refuse: Refusal) -> bytes | None:
    metadata = None
    with path.open("rb") as stream:
        for member in read_zip(stream, path.stat().st_size, limits, refuse):
            top.check(member.name.removesuffix("/"), folder=member.folder)
            if member.name == f"{top.name}/PKG-INFO":
                metadata = member_bytes(stream, member, LONGEST_METADATA, refuse)
                continue
            for _ in member_pieces(stream, member, refuse):
                pass
    return metadata
