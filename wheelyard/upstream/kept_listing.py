"""Upstream's page of a project as it is kept in the store: canonical JSON, without the way's secrets."""

from __future__ import annotations

import json
from typing import Any

from packaging.version import Version

from wheelyard.digests import Digest, canonical_json
from wheelyard.upstream.listing import ListedFile, Listing
from wheelyard.upstream.pip_index import hide_credentials


def write_listing(listing: Listing) -> bytes:
    """A page as bytes; equal pages are equal bytes. Files that can't be verified or read are left out."""
    files = sorted(listing.with_hashes().files, key=lambda file: file.filename)
    return canonical_json({"project": listing.project, "files": [_entry(file) for file in files]})


def read_listing(body: bytes) -> Listing:
    """Inverse of `write_listing`."""
    document = json.loads(body)
    return Listing(project=document["project"], files=tuple(_file(entry) for entry in document["files"]))


def _entry(file: ListedFile) -> dict[str, Any]:
    return {
        "filename": file.filename,
        # An index's user and password come back when the file is fetched, see PipIndex.with_credentials.
        "url": hide_credentials(file.url),
        "digest": str(file.digest),
        "kind": file.kind,
        "version": str(file.version),
        "requires_python": file.requires_python,
        "yanked": file.yanked,
        "has_metadata": file.has_metadata,
        "metadata": None if file.metadata is None else str(file.metadata),
        "size": file.size,
        "uploaded": file.uploaded,
    }


def _file(entry: dict[str, Any]) -> ListedFile:
    metadata = entry["metadata"]
    return ListedFile(
        **{
            **entry,
            "digest": Digest.parse(entry["digest"]),
            "version": Version(entry["version"]),
            "metadata": None if metadata is None else Digest.parse(metadata),
        }
    )
