"""A Debian binary package as a file: its control files and its own files, read without dpkg (deb(5))."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from wheelyard.errors import ForeignOutputRefused

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MOST_CONTROL = 64 << 20


def read_control(deb: Path) -> dict[str, bytes]:
    """A package's control files by name: `control`, `md5sums`, `shlibs` and others; scripts too, as bytes.

    :raises ForeignOutputRefused: it is no Debian package.
    """
    with _reading(deb), deb.open("rb") as stream:
        found = {}
        with tarfile.open(fileobj=_member(stream, "control.tar", deb), mode="r|") as tar:
            for member in tar:
                body = tar.extractfile(member) if member.isfile() else None
                if body is not None and member.size <= _MOST_CONTROL:
                    found[member.name.removeprefix("./")] = body.read()
        return found


@contextmanager
def open_data(deb: Path) -> Iterator[tarfile.TarFile]:
    """A package's own files, as a tar that is read once from front to end.

    :raises ForeignOutputRefused: it is no Debian package; also while it is read.
    """
    with (
        _reading(deb),
        deb.open("rb") as stream,
        tarfile.open(fileobj=_member(stream, "data.tar", deb), mode="r|", encoding="utf-8") as tar,
    ):
        yield tar


def unpack_data(deb: Path, target: Path) -> None:
    """Write a package's own files as an uncompressed tar.

    :raises ForeignOutputRefused: it is no Debian package.
    """
    with _reading(deb), deb.open("rb") as stream, target.open("wb") as out:
        shutil.copyfileobj(_member(stream, "data.tar", deb), out, 1 << 20)


@contextmanager
def _reading(deb: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError, gzip.BadGzipFile) as error:
        raise _refused(deb, str(error)) from error


def _member(stream: IO[bytes], wanted: str, deb: Path) -> IO[bytes]:
    """One member of the ar archive, uncompressed: members follow each other, each on an even place."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise _refused(deb, "another kind of file")
    while len(header := stream.read(_HEADER)) == _HEADER:
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        if name == wanted or name.startswith(f"{wanted}."):
            # The data may be large, and are the last member: their own format knows where they end.
            body = stream if wanted == "data.tar" else io.BytesIO(stream.read(size))
            return _uncompressed(body, name.removeprefix(wanted), deb)
        stream.seek(size + size % 2, 1)
    raise _refused(deb, f"no member {wanted}")


def _uncompressed(stream: IO[bytes], suffix: str, deb: Path) -> IO[bytes]:
    if suffix == ".xz":
        return cast("IO[bytes]", lzma.LZMAFile(stream))
    if suffix == ".gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if suffix == "":
        return stream
    raise _refused(deb, f"a compression that is not known: {suffix}")


def _refused(deb: Path, found: str) -> ForeignOutputRefused:
    return ForeignOutputRefused(
        f"{deb.name} can't be read as a Debian package",
        expected="an archive as deb(5) has it",
        found=found[:300],
    )
