"""The files that every index is filled with: many projects, ten small wheels each, one content."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

VERSIONS = 10
_NAME = "bench"
_HOT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One file of the corpus."""

    project: str
    version: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """So many files in a tenth as many projects.

    All of them have the same bytes, which no index minds: names and hashes are what its pages show.

    :param files: a multiple of ten.
    """

    files: int

    @property
    def projects(self) -> list[str]:
        """Canonical names, sorted."""
        return [f"{_NAME}-{number:06d}" for number in range(self.files // VERSIONS)]

    @property
    def hot(self) -> list[str]:
        """The projects that are asked for again and again, spread over all of them."""
        names = self.projects
        return names[:: max(2, len(names) // _HOT)][:_HOT]

    @property
    def cold(self) -> list[str]:
        """As many others, which nobody asked for before."""
        hot = set(self.hot)
        return [name for name in reversed(self.projects) if name not in hot][:_HOT]

    def wheels(self, project: str) -> list[Wheel]:
        """The files of a project."""
        name = project.replace("-", "_")
        versions = [f"1.{number}" for number in range(VERSIONS)]
        return [
            Wheel(project=project, version=version, filename=f"{name}-{version}-py3-none-any.whl")
            for version in versions
        ]

    def __iter__(self) -> Iterator[Wheel]:
        for project in self.projects:
            yield from self.wheels(project)

    @property
    def metadata(self) -> bytes:
        """Core metadata of about the usual size."""
        lines = [f"Requires-Dist: dependency-{number}>=1.{number}" for number in range(40)]
        head = ["Metadata-Version: 2.1", f"Name: {_NAME}", "Version: 1.0", "Requires-Python: >=3.9"]
        return "\n".join([*head, *lines, ""]).encode()

    @property
    def wheel(self) -> bytes:
        """Bytes of the one wheel, the same each time."""
        info = f"{_NAME}-1.0.dist-info"
        members = {
            f"{_NAME}/__init__.py": b"",
            f"{info}/METADATA": self.metadata,
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = [
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b'=').decode()},"
            f"{len(body)}"
            for path, body in members.items()
        ]
        members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as pack:
            for path, body in members.items():
                pack.writestr(zipfile.ZipInfo(path), body)
        return stream.getvalue()
