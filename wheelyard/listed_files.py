"""Every file of an image, with its owner: what a difference, a reason or a picture is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wheelyard.digests import Digest
from wheelyard.image_receipt import files_document
from wheelyard.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """One file or link of an image; folders are not among them.

    :param path: absolute.
    :param owner: title of its part.
    :param mode: permission bits.
    :param size: of a file, in bytes.
    :param digest: SHA-256 of a file as hexadecimal digits; of a link, its target behind an arrow.
    """

    path: str
    owner: str
    mode: int
    size: int
    digest: str

    def same_as(self, other: ListedFile) -> bool:
        """Whether both are the same file, whoever brought it."""
        return (self.mode, self.size, self.digest) == (other.mode, other.size, other.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFiles:
    """The files of one image, by path."""

    files: tuple[ListedFile, ...]

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable rows; `from_document` is the inverse."""
        owners = sorted({file.owner for file in self.files})
        number = {owner: at for at, owner in enumerate(owners)}
        rows = [[file.path, number[file.owner], file.mode, file.size, file.digest] for file in self.files]
        return {"owners": owners, "files": rows}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ListedFiles:
        """Inverse of `to_document`."""
        owners = document["owners"]
        return cls(
            files=tuple(
                ListedFile(path=path, owner=owners[owner], mode=mode, size=size, digest=digest)
                for path, owner, mode, size, digest in document["files"]
            )
        )

    def by_path(self) -> dict[str, ListedFile]:
        """Path to file."""
        return {file.path: file for file in self.files}


def load_files(store: Store, digest: Digest) -> ListedFiles | None:
    """The files of an image, or `None` where they were never listed.

    :param digest: of its manifest.
    :raises StoreUnavailable: the store does not answer.
    """
    body = store.get_document(files_document(digest))
    return None if body is None else ListedFiles.from_document(json.loads(body))
