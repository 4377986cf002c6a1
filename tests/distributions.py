"""Wheels and sdists for tests, right ones and wrong ones, made in memory."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping


def metadata_of(name: str, version: str, more: str = "") -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}\nText\n".encode()


def record_line(path: str, content: bytes) -> str:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={hashed},{len(content)}"


def wheel_members(
    name: str = "demo",
    version: str = "1.0",
    *,
    members: Mapping[str, bytes] | None = None,
    metadata: bytes | None = None,
    record: bytes | None = None,
) -> dict[str, bytes]:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f'VERSION = "{version}"\n'.encode(),
        **(members or {}),
        f"{info}/METADATA": metadata_of(name, version) if metadata is None else metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [record_line(path, content) for path, content in files.items()]
    own = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    return {**files, f"{info}/RECORD": own if record is None else record}


def wheel(name: str = "demo", version: str = "1.0", **changes) -> bytes:
    return zipped(wheel_members(name, version, **changes).items())


def zipped(
    members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as pack:
        for member, content in members:
            info = zipfile.ZipInfo(member) if isinstance(member, str) else member
            pack.writestr(info, content, method)
    return target.getvalue()


def streamed_zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    """As one writes it who can't seek: sizes and CRC stand behind each member."""

    class Pipe(io.RawIOBase):
        taken = b""

        def writable(self):
            return True

        def write(self, piece):
            self.taken += bytes(piece)
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as pack:
        for member, content in members:
            pack.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)
    return pipe.taken


def tarred(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as pack:
        for member, content in members:
            member.size = len(content)
            pack.addfile(member, io.BytesIO(content))
    return gzip.compress(target.getvalue(), mtime=0)


def sdist_members(
    name: str = "demo", version: str = "1.0", metadata: bytes | None = None
) -> list[tuple[tarfile.TarInfo, bytes]]:
    top = f"{name}-{version}"
    folder = tarfile.TarInfo(top)
    folder.type = tarfile.DIRTYPE
    return [
        (folder, b""),
        (tarfile.TarInfo(f"{top}/PKG-INFO"), metadata_of(name, version) if metadata is None else metadata),
        (tarfile.TarInfo(f"{top}/pyproject.toml"), b"[build-system]\nrequires = []\n"),
        (tarfile.TarInfo(f"{top}/{name}.py"), b"x = 1\n"),
    ]


def sdist(name: str = "demo", version: str = "1.0", metadata: bytes | None = None) -> bytes:
    return tarred(sdist_members(name, version, metadata))


def attestation(filename, digest, **changes):
    """An attestation object (PEP 740) about a file, with changes of its statement; its signature is none."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": digest.hex}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": None,
    }
    packed = base64.b64encode(json.dumps(statement | changes).encode()).decode()
    return {
        "version": 1,
        "verification_material": {"certificate": "AAAA", "transparency_entries": [{}]},
        "envelope": {"statement": packed, "signature": "AAAA"},
    }
