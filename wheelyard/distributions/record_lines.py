"""RECORD: the list of a wheel's files with their hashes and sizes (PEP 376 and 427)."""

from __future__ import annotations

import base64
import csv
import hashlib
from dataclasses import dataclass

from wheelyard.distributions.refusal import Refusal

LONGEST_RECORD = 64 << 20
_HASHES = ("sha256", "sha384", "sha512")
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine:
    """What RECORD says of one file; its own line says neither.

    :param hash: `sha256=` and the digest, base64 for URLs without padding; empty where it says none.
    :param size: in bytes, as it is written; empty where it says none.
    """

    hash: str
    size: str

    def digester(self, path: str, refuse: Refusal) -> hashlib._Hash:
        """An empty hash of the kind that the line names.

        :raises ForeignOutputRefused: it names none that is good enough (PEP 427: SHA-256 or better).
        """
        kind, equals, value = self.hash.partition("=")
        if kind not in _HASHES or not equals or not value or not self.size.isdecimal():
            raise refuse(
                "its RECORD lies: a line has no hash or size",
                "SHA-256 or better (PEP 427)",
                f"{path},{self.hash}",
            )
        return hashlib.new(kind)

    def check(self, path: str, digester: hashlib._Hash, size: int, refuse: Refusal) -> None:
        """Compare with what was read.

        :raises ForeignOutputRefused: the file has another hash or size.
        """
        found = base64.urlsafe_b64encode(digester.digest()).rstrip(b"=").decode()
        if self.hash.partition("=")[2].rstrip("=") != found or int(self.size[:20]) != size:
            raise refuse(
                "its RECORD lies: a file has another hash or size (PEP 376)",
                f"{path},{self.hash},{self.size}", f"{digester.name}={found},{size}",
            )  # fmt: skip


def read_record(body: bytes, refuse: Refusal) -> dict[str, RecordLine]:
    """The lines of a RECORD by path.

    :raises ForeignOutputRefused: it is no such list, or names a file twice.
    """
    lines: dict[str, RecordLine] = {}
    try:
        for row in csv.reader(body.decode().splitlines()):
            if len(row) != 3:
                raise refuse("its RECORD can't be read", "three fields in a line (PEP 376)", row)
            path, hashed, size = row
            if path in lines:
                raise refuse("its RECORD names a file twice", "each file once", path)
            if not path.endswith("/"):
                lines[path] = RecordLine(hash=hashed, size=size)
    except (csv.Error, UnicodeDecodeError) as error:
        raise refuse("its RECORD can't be read", "CSV in UTF-8 (PEP 376)", error) from error
    return lines


def compare_names(lines: dict[str, RecordLine], files: set[str], folder: str, refuse: Refusal) -> None:
    """RECORD must name what the wheel has, and the wheel must have what RECORD names.

    :param folder: its `.dist-info`; signatures in it are the only files that are not named (PEP 427).
    """
    signatures = {f"{folder}/{name}" for name in _SIGNATURES}
    unnamed = files - signatures - lines.keys()
    if unnamed:
        raise refuse(
            "its RECORD lies: it does not name every file", "every member in RECORD (PEP 376)", min(unnamed)
        )
    missing = lines.keys() - (files - signatures)
    if missing:
        raise refuse(
            "its RECORD lies: it names a file that is not there",
            "what is in the wheel (PEP 376)",
            min(missing),
        )
    own = lines[f"{folder}/RECORD"]
    if own.hash or own.size:
        raise refuse("its RECORD lies: it hashes itself", "its own line without hash and size (PEP 376)")
