"""The file name of an sdist (PEP 625)."""

from __future__ import annotations

import re

from packaging.utils import InvalidSdistFilename, NormalizedName, parse_sdist_filename
from packaging.version import Version

from wheelyard.distributions.refusal import Refusal

_FILENAME = re.compile(r"[A-Za-z0-9._+!-]+(\.tar\.gz|\.zip)")


def read_sdist_name(name: str, refuse: Refusal) -> tuple[NormalizedName, Version]:
    """Project and version of an sdist's file name, which must be the only spelling of both.

    :raises ForeignOutputRefused: it is none (PEP 625).
    """
    if not _FILENAME.fullmatch(name):
        raise refuse("its name is not an sdist's", "{name}-{version}.tar.gz (PEP 625)", name)
    try:
        project, version = parse_sdist_filename(name)
    except InvalidSdistFilename as error:
        raise refuse("its name is not an sdist's", "{name}-{version}.tar.gz (PEP 625)", error) from error
    stem = sdist_stem(name)
    right = f"{project.replace('-', '_')}-{version}"
    if stem != right:
        raise refuse(
            "its name is not normalised (PEP 625)",
            name.replace(stem, right),
            f"{name}; setuptools before 69.3 writes it so",
        )
    return project, version


def sdist_stem(name: str) -> str:
    """The name without its ending: the one folder at the top of an sdist."""
    return name.removesuffix(".zip").removesuffix(".tar.gz")
