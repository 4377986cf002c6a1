"""Which files a sender may read by their digests: those that a channel of his shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from builder_service.services import Services
from wheelyard.channels import Channel
from wheelyard.digests import Digest
from wheelyard.errors import Forbidden, NotFound
from wheelyard.identity import Identity


def check_file(services: Services, identity: Identity, digest: Digest) -> None:
    """Refuse a file of the index that no channel of the sender shows; bytes that are no such file pass.

    A file that was taken from upstream is as public as upstream is.

    :raises Forbidden: it is in other channels only.
    """
    if not identity.channels:
        return
    places = services.catalogue.channels_of(digest)
    if places and places.isdisjoint({channel.name for channel in _channels(services, identity)}):
        raise Forbidden(
            f"the file {digest} is in no channel that the token {identity.name!r} is for",
            expected="a file of one of its channels, or of one that they build on",
            found=f"channels of the token: {', '.join(sorted(identity.channels))}",
            do="ask an administrator for a token that is for the file's channel",
        )


def _channels(services: Services, identity: Identity) -> Iterator[Channel]:
    """His channels, and those that they build on."""
    for name in identity.channels:
        # A token may be for a channel that is yet to be made.
        with suppress(NotFound):
            yield from services.channels.chain(name)
