"""RECORD of an installed wheel against the files of its layer, and against the wheel that it came from."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import re
import tarfile
import zipfile
from pathlib import Path

from wheelyard.errors import ForeignOutputRefused

_RECORD = re.compile(r".*/(?:site|dist)-packages/[^/]+\.dist-info/RECORD", re.DOTALL)


def check_installed_record(tar: tarfile.TarFile, wheel: Path) -> None:
    """Check that RECORD names every file of the layer and nothing else, each with its true hash and size.

    Beyond the specification (recording installed packages), the wheel's own files must be there unchanged:
    all but bytecode outside its `.data` and `.dist-info` folders, by the wheel's bytes and not by its word.

    :param tar: the layer, normalised.
    :param wheel: the file that was installed.
    :raises ForeignOutputRefused: any of this is not so; the message names the file.
    """
    layer = {member.name: member for member in tar if member.isfile()}
    records = [name for name in layer if _RECORD.fullmatch(name)]
    # Projects that the wheel vendors have theirs further down.
    least = min((name.count("/") for name in records), default=0)
    records = [name for name in records if name.count("/") == least]
    if len(records) != 1:
        raise _refused(wheel, f"{len(records)} RECORD files", "one RECORD")
    site = posixpath.dirname(posixpath.dirname(records[0]))
    hashes = {name: _hash_of(tar, member) for name, member in layer.items()}
    listed = set()
    for path, digest, size in _rows(tar, layer[records[0]], wheel):
        name = posixpath.normpath(posixpath.join(site, path))
        listed.add(name)
        if name == records[0]:
            continue
        if name not in layer:
            raise _refused(wheel, f"RECORD names /{name}, which is not there", "only files that are there")
        if digest != f"sha256={hashes[name]}" or size != str(layer[name].size):
            raise _refused(wheel, f"RECORD gives another hash or size for /{name}", "true hashes and sizes")
    unlisted = sorted(layer.keys() - listed)
    if unlisted:
        raise _refused(wheel, f"/{unlisted[0]} is not in RECORD", "every file in RECORD")
    _check_against_wheel(wheel, site, hashes)


def _check_against_wheel(wheel: Path, site: str, hashes: dict[str, str]) -> None:
    with zipfile.ZipFile(wheel) as pack:
        for entry in pack.infolist():
            top = entry.filename.split("/")[0]
            # Some wheels ship stray bytecode (numpy's distutils does); ours takes its place.
            if entry.is_dir() or top.endswith((".data", ".dist-info")) or entry.filename.endswith(".pyc"):
                continue
            with pack.open(entry) as stream:
                expected = _encoded(hashlib.file_digest(stream, "sha256").digest())  # type: ignore[arg-type]
            name = posixpath.normpath(f"{site}/{entry.filename}")
            if hashes.get(name) != expected:
                raise _refused(
                    wheel, f"/{name} differs from the wheel's own file", "the wheel's files unchanged"
                )


def _rows(tar: tarfile.TarFile, record: tarfile.TarInfo, wheel: Path) -> list[tuple[str, str, str]]:
    stream = tar.extractfile(record)
    text = stream.read().decode("utf-8") if stream is not None else ""
    rows = []
    for row in csv.reader(io.StringIO(text)):
        if len(row) != 3:  # path, hash, size
            raise _refused(wheel, f"a line of RECORD has {len(row)} fields", "path, hash and size")
        rows.append((row[0], row[1], row[2]))
    return rows


def _hash_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    stream = tar.extractfile(member)
    if stream is None:
        return ""
    with stream:
        return _encoded(hashlib.file_digest(stream, "sha256").digest())  # type: ignore[arg-type]


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _refused(wheel: Path, found: str, expected: str) -> ForeignOutputRefused:
    return ForeignOutputRefused(
        f"what was installed from {wheel.name} is not what the wheel says",
        expected=expected,
        found=found,
        wheel=wheel.name,
    )
