"""Digests: the SHA-256 of an output's bytes, and the canonical JSON that keys are made of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wheelyard.errors import InputError

CHUNK = 1 << 20
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """SHA-256 over the bytes of one output, as the OCI image specification writes it.

    :param hex: 64 lower-case hexadecimal digits.
    """

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise InputError(
                "a digest could not be read",
                expected="64 lower-case hexadecimal digits",
                found=repr(self.hex[:80]),
            )

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def base64(self) -> str:
        """The digest as S3 writes a checksum."""
        return base64.b64encode(bytes.fromhex(self.hex)).decode()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:…`, as OCI and PEP 691 documents write it, or the bare hexadecimal digits."""
        return cls(text.removeprefix("sha256:"))

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """The digest of bytes in memory."""
        return cls(hashlib.sha256(content).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Digest:
        """The digest of a file's bytes, read in chunks."""
        with path.open("rb") as stream:
            return cls(hashlib.file_digest(stream, "sha256").hexdigest())


class DigestingWriter:
    """A binary stream that hashes and counts what passes on its way to another one."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> int:
        """Write, hash and count; returns the number of bytes."""
        self._hash.update(chunk)
        self.size += len(chunk)
        self._target.write(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Flush the target."""
        self._target.flush()

    @property
    def digest(self) -> Digest:
        """Digest of all that was written so far."""
        return Digest(self._hash.hexdigest())


def canonical_json(document: Any) -> bytes:
    """JSON with sorted keys and no white space: equal documents are equal bytes (RFC 8785 in spirit).

    :param document: what `json.dumps` takes, without floats that are not finite.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def key_of(document: Any) -> str:
    """SHA-256 over the canonical JSON of inputs, as 64 hexadecimal digits. A key is never a digest."""
    return hashlib.sha256(canonical_json(document)).hexdigest()
