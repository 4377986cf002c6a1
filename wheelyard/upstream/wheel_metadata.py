"""The core metadata inside a wheel of upstream's, read by way of the zip's central directory."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from packaging.metadata import InvalidMetadata, Metadata
from packaging.utils import canonicalize_name, parse_wheel_filename

from wheelyard.upstream.index import MAX_METADATA_BYTES


def wheel_metadata(path: Path, filename: str) -> bytes | None:
    """The bytes of its METADATA file (PEP 427); None where it has none that says what the wheel's name says.

    :param filename: of the wheel; the file on the disk may be called otherwise.
    """
    name, version, _, _ = parse_wheel_filename(filename)
    try:
        with zipfile.ZipFile(path) as wheel:
            members = [one for one in wheel.infolist() if _is_metadata(one.filename)]
            if len(members) != 1 or members[0].file_size > MAX_METADATA_BYTES:
                return None
            with wheel.open(members[0]) as stream:
                # The size in the directory may lie.
                body = stream.read(MAX_METADATA_BYTES + 1)
        # What a field holds is read when it is asked for.
        found = Metadata.from_email(body, validate=False)
        says = canonicalize_name(found.name), found.version
    except (zipfile.BadZipFile, zlib.error, InvalidMetadata, ExceptionGroup, EOFError, OSError, RuntimeError):
        return None
    return body if says == (name, version) and len(body) <= MAX_METADATA_BYTES else None


def _is_metadata(name: str) -> bool:
    folder, _, rest = name.partition("/")
    return folder.endswith(".dist-info") and rest == "METADATA"
