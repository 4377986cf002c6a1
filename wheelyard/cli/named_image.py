"""An image of the service, found by how somebody names it: its documents, and its blobs from any byte on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

from wheelyard.cli.blob_file import other_bytes
from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.errors import InputError, NotFound, StoreUnavailable
from wheelyard.image_name import ImageName
from wheelyard.registry.image_push import read_parts
from wheelyard.registry.referrers_push import Attached

_MADE_HERE = "images"
"""The repository of the service's registry that has every image that was made there, by its digest."""
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_DIGITS = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_DOCUMENT_LIMIT = 8 << 20

OpenPart = Callable[[Digest, int], AbstractContextManager[Iterator[bytes]]]


class NamedImage:
    """An image's documents, checked, and a source of its blobs (`wheelyard.registry.blob_upload.BlobSource`).

    :param repository: of the service's registry, which has it.
    :param open_part: opens a blob from an offset on.
    :raises InputError: the manifest is not an image's.
    :raises StoreUnavailable: the config is not the one that the manifest names.
    """

    def __init__(self, client: Client, repository: str, manifest: bytes, open_part: OpenPart) -> None:
        self._client = client
        self._repository = repository
        self.manifest = manifest
        self.digest = Digest.of(manifest)
        self._open = open_part
        try:
            document: dict[str, Any] = json.loads(manifest)
            self.image_id = Digest.parse(document["config"]["digest"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.digest} is not one image",
                expected="a manifest with a config and layers",
                found="a list of images" if b'"manifests"' in manifest else "other bytes",
                do="name one image by its own digest",
            ) from error
        self.config = read_part(open_part, self.image_id)

    def open(self, digest: Digest, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """A blob's bytes from an offset on."""
        return self._open(digest, offset)

    def attached(self) -> tuple[list[Attached], RepositoryParts]:
        """What is said of it beside it, and the source of its documents."""
        found = []
        for descriptor in self._client.referrers(self._repository, self.digest):
            body = self._client.manifest(self._repository, str(descriptor["digest"]))
            if str(Digest.of(body)) != descriptor["digest"]:
                raise _other_bytes(Digest.parse(descriptor["digest"]), body)
            kind = str(descriptor.get("artifactType") or "document")
            _, *layers = read_parts(body, {}).blobs
            titles = {layer.digest: kind for layer in layers}
            found.append(Attached(parts=read_parts(body, titles), descriptor=descriptor))
        return found, RepositoryParts(self._client, self._repository)


class RepositoryParts:
    """A source of blobs out of one repository of the service's registry."""

    def __init__(self, client: Client, repository: str) -> None:
        self._client = client
        self._repository = repository

    def open(self, digest: Digest, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """A blob's bytes from an offset on."""
        return self._client.part(self._repository, digest, offset)


def made_image(client: Client, digest: Digest) -> NamedImage:
    """An image that a job just made.

    :param digest: of its manifest.
    """
    return NamedImage(client, _MADE_HERE, read_part(client.blob, digest), client.blob)


def find_image(client: Client, text: str) -> NamedImage:
    """The image that somebody names as a digest, an image id, a job's id, or REPOSITORY:TAG of the service.

    :raises NotFound: the service has no such image.
    :raises InputError: that is no name of one.
    """
    try:
        repository, manifest = _manifest_of(client, text)
    except NotFound as error:
        raise NotFound(
            f"the service has no image {text}",
            expected="an image's digest, its id, a job's id, or REPOSITORY:TAG of the service's own registry",
            found=error.found,
            do="see `wheelyard image list`",
        ) from error
    return NamedImage(client, repository, manifest, RepositoryParts(client, repository).open)


def _manifest_of(client: Client, text: str) -> tuple[str, bytes]:
    """A repository that has an image, and its manifest."""
    if match := _DIGEST.fullmatch(text):
        with suppress(NotFound):
            return _MADE_HERE, client.manifest(_MADE_HERE, f"sha256:{match[1]}")
    if _DIGITS.fullmatch(text):
        return _MADE_HERE, client.manifest(_MADE_HERE, str(client.image_receipt(text)["digest"]))
    name = ImageName.parse(text)
    return name.repository, client.manifest(name.repository, str(name.digest or name.tag))


def read_part(open_part: OpenPart, digest: Digest) -> bytes:
    """A document of an image, whole.

    :raises StoreUnavailable: what came are other bytes.
    """
    body = b""
    with open_part(digest, 0) as pieces:
        for piece in pieces:
            body += piece
            if len(body) > _DOCUMENT_LIMIT:
                break
    if Digest.of(body) != digest:
        raise _other_bytes(digest, body)
    return body


def _other_bytes(digest: Digest, body: bytes) -> StoreUnavailable:
    return other_bytes("a document of the image", digest, f"{Digest.of(body)}, {len(body)} bytes")
