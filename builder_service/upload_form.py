"""The form of an upload (RFC 7578), read as it comes: its file goes to disk and is hashed meanwhile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from builder_service.body_limit import TooLarge
from wheelyard.digests import Digest
from wheelyard.errors import DiskFull, InputError

MAX_FIELDS_BYTES = 8 << 20
"""All but the file, together: names, values and boundaries."""
_MAX_PARTS = 5_000
_MAX_FIELD_BYTES = 1 << 20
_BUFFER = 1 << 20
_FILE = "content"
_KEPT = frozenset(
    {
        ":action", "protocol_version", "filetype", "pyversion", "name", "version", "sha256_digest",
        "blake2_256_digest", "md5_digest", "attestations",
    }
)  # fmt: skip
_FILENAME = re.compile(r"[A-Za-z0-9._+!-]{1,250}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedUpload:
    """An upload that was received whole.

    :param path: the file, under its own name.
    :param size: in bytes.
    :param blake2: BLAKE2b-256 of its bytes, in hexadecimal digits, as `md5` is.
    :param fields: those of the form that we look at; a name is there once.
    """

    path: Path
    size: int
    digest: Digest
    blake2: str
    md5: str
    fields: Mapping[str, str]


@dataclass(slots=True)
class _Part:
    name: str = ""
    filename: str = ""
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)


class UploadForm:
    """Takes the pieces of one multipart body.

    :param folder: where the file goes; whoever made it removes it.
    :param limit: size of the file at the most, in bytes.
    """

    def __init__(self, content_type: str, folder: Path, limit: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InputError(
                "the upload is not a form",
                expected="Content-Type: multipart/form-data with a boundary (RFC 7578), as twine sends it",
                found=content_type[:200],
            )
        self._folder, self._limit = folder, limit
        self._fields: dict[str, str] = {}
        self._filename = ""
        self._parts, self._overhead, self._size, self._ended = 0, 0, 0, False
        self._part = _Part()
        self._waiting = bytearray()
        self._hashes = (
            hashlib.sha256(), hashlib.blake2b(digest_size=32), hashlib.md5(usedforsecurity=False),
        )  # fmt: skip
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin, "on_header_field": self._header,
                    "on_header_value": self._header_value, "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished, "on_part_data": self._data,
                    "on_part_end": self._end_part, "on_end": self._end,
                },
            )  # fmt: skip
        except FormParserError as error:
            raise _unreadable(error) from error

    async def receive(self, pieces: AsyncIterator[bytes]) -> ReceivedUpload:
        """Read the body to its end.

        :raises InputError: it is no such form, or not whole.
        :raises TooLarge: the file, a field, or all fields together are larger than they may be.
        :raises DiskFull: the file could not be written.
        """
        path = self._folder / "content"
        try:
            with path.open("wb") as target:
                async for piece in pieces:
                    self._take(piece)
                    if len(self._waiting) >= _BUFFER:
                        await to_thread.run_sync(self._drain, target)
                await to_thread.run_sync(self._drain, target)
            if not self._ended or not self._filename:
                raise InputError(
                    "the upload is not whole",
                    expected="a form with the file in its field `content`, to the last boundary",
                    found=f"{self._size} bytes of a file" if self._filename else "no file",
                    do="send it again",
                )
            path = path.rename(self._folder / self._filename)
        except OSError as error:
            raise DiskFull(
                "the upload could not be kept for a moment",
                found=str(error),
                do="make room, and send it again",
            ) from error
        sha256, blake2, md5 = (one.hexdigest() for one in self._hashes)
        return ReceivedUpload(
            path=path, size=self._size, digest=Digest(sha256), blake2=blake2, md5=md5, fields=self._fields
        )

    def _take(self, piece: bytes) -> None:
        before = self._size
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _unreadable(error) from error
        self._overhead += len(piece) - (self._size - before)
        if self._overhead > MAX_FIELDS_BYTES:
            raise _too_large("the form's fields are larger than this service takes", MAX_FIELDS_BYTES)

    def _drain(self, target: IO[bytes]) -> None:
        for one in self._hashes:
            one.update(self._waiting)
        target.write(self._waiting)
        self._waiting.clear()

    def _begin(self) -> None:
        self._part = _Part()
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InputError("the form has too many fields", expected=f"at most {_MAX_PARTS}")

    def _header(self, piece: bytes, start: int, end: int) -> None:
        self._part.header += piece[start:end]

    def _header_value(self, piece: bytes, start: int, end: int) -> None:
        self._part.value += piece[start:end]

    def _header_end(self) -> None:
        part = self._part
        part.headers[bytes(part.header).lower()] = bytes(part.value)
        part.header.clear()
        part.value.clear()

    def _headers_finished(self) -> None:
        part = self._part
        disposition = part.headers.get(b"content-disposition", b"").decode("utf-8", "replace")
        _, options = parse_options_header(_latin(disposition))
        part.name = options.get(b"name", b"").decode("latin-1")
        if part.name == _FILE:
            if self._filename:
                raise InputError("the form has two files", expected="one field `content`")
            filename = options.get(b"filename", b"").decode("latin-1")
            if not _FILENAME.fullmatch(filename) or filename.startswith("."):
                raise InputError(
                    "the file's name can't be that of a wheel or an sdist",
                    expected="letters, digits and ._+!- only, at most 250 (PEP 427 and 625)",
                    found=repr(filename[:200]),
                )
            self._filename = filename
        elif part.name in self._fields and part.name in _KEPT:
            raise InputError(f"the form has the field {part.name!r} twice", expected="once")

    def _data(self, piece: bytes, start: int, end: int) -> None:
        if self._part.name == _FILE:
            self._size += end - start
            if self._size > self._limit:
                raise _too_large("the file is larger than this service takes", self._limit)
            self._waiting += piece[start:end]
        elif self._part.name in _KEPT:
            self._part.value += piece[start:end]
            if len(self._part.value) > _MAX_FIELD_BYTES:
                raise _too_large(f"the field {self._part.name!r} is too large", _MAX_FIELD_BYTES)

    def _end_part(self) -> None:
        if self._part.name in _KEPT:
            self._fields[self._part.name] = self._part.value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


def announced_too_large(announced: str, limit: int) -> TooLarge | None:
    """The refusal of a body that says itself that it is too large, before any of it is read.

    :param announced: its Content-Length.
    :param limit: size of the file at the most, in bytes.
    """
    if announced.isdecimal() and int(announced[:20]) > limit + MAX_FIELDS_BYTES:
        return _too_large("the upload is larger than this service takes", limit, f"{announced[:20]} bytes")
    return None


def _latin(text: str) -> str:
    """Text that the parser of headers can encode; a file's name has only such letters."""
    return text.encode("latin-1", "replace").decode("latin-1")


def _unreadable(error: FormParserError) -> InputError:
    return InputError("the form can't be read", expected="multipart/form-data (RFC 7578)", found=str(error))


def _too_large(failed: str, limit: int, found: str = "") -> TooLarge:
    return TooLarge(
        failed,
        expected=f"at most {limit} bytes",
        found=found or f"more than {limit} bytes",
        do="make it smaller, or raise WHEELYARD_MAX_UPLOAD_BYTES, which the file's limit is",
    )
