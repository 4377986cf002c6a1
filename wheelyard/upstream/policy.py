"""The policy: which of upstream's files a channel shows. No clock, no I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from wheelyard.channels import Channel
from wheelyard.index_file import FileKind
from wheelyard.upstream.listing import ListedFile, Listing

# What stands in an address and in a column; the name of a wheel's platform could be anything.
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,289}")


def shown_files(listing: Listing, channel: Channel, *, owned: bool, now: float) -> tuple[ListedFile, ...]:
    """The files of upstream's page that a channel shows.

    Never those of a name that the team owns, and never one that can't be verified (PEP 503 lets an index
    leave the hash out) or whose name tells neither kind nor version.

    :param owned: whether the name is the team's.
    :param now: epoch seconds.
    """
    if owned or not channel.takes(listing.project):
        return ()
    return tuple(file for file in listing.files if _is_shown(file, channel, now))


def uploaded_at(file: ListedFile) -> float | None:
    """When upstream got a file (PEP 700), in epoch seconds; None where it does not say."""
    try:
        moment = datetime.fromisoformat(file.uploaded)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_shown(file: ListedFile, channel: Channel, now: float) -> bool:
    if file.digest is None or file.version is None or file.kind == "other":
        return False
    if not channel.takes_kind(FileKind(file.kind)) or not _FILENAME.fullmatch(file.filename):
        return False
    if not channel.min_age:
        return True
    # A file of unknown age may be a minute old, which is what a cooldown is there against.
    moment = uploaded_at(file)
    return moment is not None and moment <= now - channel.min_age
