"""A blob of the service as a file of this machine: whole, and checked by its digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wheelyard.client import Client
from wheelyard.digests import Digest, DigestingWriter
from wheelyard.errors import StoreUnavailable
from wheelyard.whole_file import whole_file


def bring_blob(client: Client, digest: Digest, place: Path, on_bytes: Callable[[int], None]) -> None:
    """Fetch a blob into a file; one that is there already, with the right bytes, stays.

    :param place: its folder is made where it is missing.
    :param on_bytes: told of each piece's size.
    :raises NotFound: the service has no such blob.
    :raises StoreUnavailable: other bytes came.
    """
    if place.is_file() and Digest.of_file(place) == digest:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(place) as out:
        arrived = DigestingWriter(out)
        with client.blob(digest) as chunks:
            for chunk in chunks:
                on_bytes(arrived.write(chunk))
        if arrived.digest != digest:
            raise other_bytes(place.name, digest, str(arrived.digest))


def other_bytes(what: str, expected: Digest, found: str) -> StoreUnavailable:
    """The error of what came and is not what its digest says."""
    return StoreUnavailable(
        f"{what} came with other bytes",
        expected=str(expected),
        found=found,
        do="check what stands between here and the service, and try again",
    )
