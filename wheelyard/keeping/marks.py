"""Marks on digests, with the reason of each: in a file of their own, since a large store has millions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wheelyard.digests import Digest
from wheelyard.keeping.scratch_database import ScratchDatabase

_TABLES = """
CREATE TABLE kept (digest BLOB PRIMARY KEY, reason TEXT, detail TEXT) WITHOUT ROWID;
CREATE TABLE unwanted (digest BLOB PRIMARY KEY, reason TEXT, detail TEXT) WITHOUT ROWID;
CREATE TABLE documents (digest BLOB, name TEXT, PRIMARY KEY (digest, name)) WITHOUT ROWID;
CREATE TABLE going (digest BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID;
"""


class Marks(ScratchDatabase):
    """Why a digest stays, why it may go, and which documents go with it. Not safe between threads.

    The first reason that is given stands.
    """

    def __init__(self) -> None:
        super().__init__(_TABLES)

    def keep(self, digests: Iterable[Digest | str], reason: str, detail: str = "") -> None:
        """Mark what stays.

        :param digests: as text with or without `sha256:`, too; empty ones are passed over.
        :param detail: for people: which one of its kind needs it.
        """
        self._add("kept", digests, reason, detail)

    def want_no_more(self, digests: Iterable[Digest | str], reason: str, detail: str = "") -> None:
        """Note why a digest that nothing keeps was there."""
        self._add("unwanted", digests, reason, detail)

    def _add(self, table: str, digests: Iterable[Digest | str], reason: str, detail: str) -> None:
        rows = [(_bytes(digest), reason, detail) for digest in digests if digest]
        self._database.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", rows)  # noqa: S608 - ours

    def kept(self, digest: Digest | str) -> tuple[str, str] | None:
        """Why a digest stays: the reason and its detail; None where nothing keeps it."""
        return self._reason("kept", digest)

    def unwanted(self, digest: Digest | str) -> tuple[str, str] | None:
        """Why a digest was there once; None where nobody knows."""
        return self._reason("unwanted", digest)

    def _reason(self, table: str, digest: Digest | str) -> tuple[str, str] | None:
        query = f"SELECT reason, detail FROM {table} WHERE digest = ?"  # noqa: S608 - ours
        found: tuple[str, str] | None = self._database.execute(query, (_bytes(digest),)).fetchone()
        return found

    def attach(self, digest: Digest | str, document: str) -> None:
        """Note a document that means nothing without a digest's bytes."""
        row = (_bytes(digest), document)
        self._database.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", row)

    def attached(self, digest: Digest) -> list[str]:
        """Names of those documents."""
        query = "SELECT name FROM documents WHERE digest = ? ORDER BY name"
        return [name for (name,) in self._database.execute(query, (_bytes(digest),))]

    def let_go(self, digest: Digest, size: int) -> None:
        """Put a digest on the list of those that go."""
        self._database.execute("INSERT OR IGNORE INTO going VALUES (?, ?)", (_bytes(digest), size))

    def going(self) -> Iterator[tuple[Digest, int]]:
        """The digests that go, each with its size in bytes."""
        for digest, size in self._database.execute("SELECT digest, size FROM going ORDER BY digest"):
            yield Digest(digest.hex()), size

    def going_count(self) -> int:
        """How many go."""
        (count,) = self._database.execute("SELECT count(*) FROM going").fetchone()
        return int(count)


def _bytes(digest: Digest | str) -> bytes:
    return bytes.fromhex(digest.hex if isinstance(digest, Digest) else digest.removeprefix("sha256:"))
