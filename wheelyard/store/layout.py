"""Where things lie in a store: one layout for every implementation, and what a name may look like."""

from __future__ import annotations

import re

from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, InputError, StoredOtherBytes, StoreUnavailable

BLOBS = "blobs/sha256/"
_SEGMENT = r"(?!\.)[a-z0-9._+-]{1,200}"
_NAME = re.compile(rf"{_SEGMENT}(/{_SEGMENT}){{0,15}}")


def blob_name(digest: Digest) -> str:
    """Place of a blob: `blobs/sha256/AA/HEX`, spread over 256 folders by its first two digits."""
    return f"{BLOBS}{digest.hex[:2]}/{digest.hex}"


def document_name(name: str) -> str:
    """The name itself, once it is known to stay inside the store.

    :param name: lower-case segments joined by `/`; none begins with a dot, none is empty.
    :raises InputError: it is not such a name, or it lies among the blobs.
    """
    if not _NAME.fullmatch(name) or name.startswith("blobs/"):
        raise InputError(
            "a document can't have that name",
            expected="lower-case segments such as records/wheels/KEY.json, outside blobs/",
            found=repr(name[:200]),
        )
    return name


def document_prefix(prefix: str) -> str:
    """The prefix itself, once it is known to be empty or a folder's name with a slash at its end.

    :raises InputError: it is neither.
    """
    if prefix and (not prefix.endswith("/") or not _NAME.fullmatch(prefix[:-1])):
        raise InputError(
            "documents can't be listed below that prefix",
            expected="a folder's name with a slash at its end, such as records/wheels/",
            found=repr(prefix[:200]),
        )
    return prefix


def refuse_other_digest(expected: Digest, found: Digest) -> None:
    """Let bytes pass only under their own digest.

    :raises ForeignOutputRefused: the two differ.
    """
    if expected != found:
        raise ForeignOutputRefused(
            "the bytes are not what their digest says",
            expected=str(expected),
            found=str(found),
            do="fetch or build them again; nothing was stored",
        )


def other_bytes(name: str, kept: bytes, offered: bytes) -> StoredOtherBytes:
    """The error of a document that is there already, and differs."""
    return StoredOtherBytes(
        f"the document {name} is stored already, with other bytes",
        expected=f"{Digest.of(kept)}, {len(kept)} bytes, which stay",
        found=f"{Digest.of(offered)}, {len(offered)} bytes",
        do="tell whoever writes this document: its inputs changed and its name did not",
        name=name,
    )


def refuse_damage(expected: Digest, found: Digest) -> None:
    """Let stored bytes out only under their own digest.

    :raises StoreUnavailable: the two differ: the store's disk lost bits, or somebody wrote past us.
    """
    if expected != found:
        raise StoreUnavailable(
            "the store holds damaged bytes",
            expected=str(expected),
            found=str(found),
            do="remove that blob from the store, and build or upload it again",
        )
