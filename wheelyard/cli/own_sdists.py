"""Sdists of the user's own, named by their paths: uploaded into the channel, then asked for by version."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from wheelyard.cli.session import Session


def with_uploads(session: Session, requirements: Sequence[str] | None, channel: str) -> list[str]:
    """The requirements, each sdist's path among them as `NAME==VERSION` once the channel has it.

    An upload makes the name the team's: from then on upstream's files of that name are not taken.

    :param channel: that they are uploaded into; the same file again is a no-op.
    :raises InputError: the channel has another file of that name.
    :raises Forbidden: the token may not publish there.
    """
    found = list(requirements or ())
    paths = {text: Path(text).expanduser() for text in found if is_sdist_path(text)}
    if not paths:
        return found
    with session.client() as client:
        for text, path in paths.items():
            uploaded = client.upload_sdist(path, channel)
            pin = f"{uploaded['project']}=={uploaded['version']}"
            sys.stderr.write(f"{path} is in the channel {channel}: {pin}, {uploaded['digest']}\n")
            found[found.index(text)] = pin
    return found


def is_sdist_path(text: str) -> bool:
    """Whether an argument is the path of an sdist, and not a requirement."""
    from wheelyard.inputs.read import is_path

    return is_path(text) and text.endswith((".tar.gz", ".zip")) and Path(text).expanduser().is_file()
