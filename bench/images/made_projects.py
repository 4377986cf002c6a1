"""Small projects of the benchmark's own: sdists with a module and text that does not compress to nothing."""

from __future__ import annotations

import base64
import gzip
import io
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path

_PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1.0"

[tool.setuptools]
packages = ["{module}"]

[tool.setuptools.package-data]
{module} = ["text.txt"]
"""
_METADATA = "Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n"
_TEXT_BYTES = 150_000


def write_projects(folder: Path, count: int) -> Sequence[Path]:
    """Write sdists; the same ones each time.

    :param folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder, number) for number in range(count)]


def name_of(number: int) -> str:
    """Name of one of the projects."""
    return f"wheelyard-made-{number:02}"


def _write(folder: Path, number: int) -> Path:
    name, module = name_of(number), name_of(number).replace("-", "_")
    text = base64.encodebytes(random.Random(number).randbytes(_TEXT_BYTES))  # noqa: S311 - no secret
    files = {
        "PKG-INFO": _METADATA.format(name=name).encode(),
        "pyproject.toml": _PYPROJECT.format(name=name, module=module).encode(),
        f"{module}/__init__.py": f"NUMBER = {number}\n".encode(),
        f"{module}/text.txt": text,
    }
    place = folder / f"{module}-1.0.tar.gz"
    # Without the time that gzip would write down: a name never changes its bytes.
    with (
        place.open("wb") as out,
        gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path, content in files.items():
            member = tarfile.TarInfo(f"{module}-1.0/{path}")
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return place
