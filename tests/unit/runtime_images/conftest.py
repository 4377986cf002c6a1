"""Tiny tars, layers and ELF files for the tests of runtime images."""

from __future__ import annotations

import io
import platform
import struct
import tarfile
from pathlib import Path

import pytest

from runtime_images.layer_contents import LayerContents, read_contents
from wheelyard.digests import Digest
from wheelyard.oci import Layer, compress_layer
from wheelyard.store.folder import FolderStore

DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29
HEADERS = 64 + 2 * 56


class Tars:
    """Writes tars from a short notation: bytes are a file, None a folder, text a symbolic link's target."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def write(self, members: dict[str, bytes | str | None], modes: dict[str, int] | None = None) -> Path:
        self._count += 1
        path = self._folder / f"tar-{self._count}.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.mtime, entry.uid, entry.uname = 1_700_000_000 + self._count, 1234, "somebody"
                if content is None:
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                elif isinstance(content, str):
                    entry.type, entry.linkname = tarfile.SYMTYPE, content
                else:
                    entry.size, entry.mode = len(content), 0o644
                if modes and name in modes:
                    entry.mode = modes[name]
                tar.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
        return path

    def raw(self, *entries: tarfile.TarInfo) -> Path:
        self._count += 1
        path = self._folder / f"raw-{self._count}.tar"
        with tarfile.open(path, "w") as tar:
            for entry in entries:
                tar.addfile(entry)
        return path

    def contents(
        self, members: dict[str, bytes | str | None], modes: dict[str, int] | None = None
    ) -> LayerContents:
        return read_contents(self.write(members, modes))


@pytest.fixture
def tars(tmp_path) -> Tars:
    folder = tmp_path / "tars"
    folder.mkdir()
    return Tars(folder)


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def scratch(tmp_path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def put_layer(tmp_path, store):
    """Keeps a tar as a layer's blob."""

    def put(tar: Path, title: str) -> Layer:
        packed = tmp_path / "packed.tar.gz"
        with tar.open("rb") as source, packed.open("wb") as target:
            layer = compress_layer(source, target, title)
        store.put_blob(packed, layer.digest)
        assert store.blob_size(layer.digest) == layer.size
        assert layer.digest == Digest.of_file(packed)
        return layer

    return put


class Linker:
    """Shared libraries written byte by byte, so that no compiler has to be there."""

    def library(
        self, soname: str, needed: tuple[str, ...] = (), run_path: str = "", *, rpath: bool = False
    ) -> bytes:
        """An ELF file with one loadable segment and one dynamic one, for this machine."""
        strings, places = b"\0", {}
        for text in (soname, *needed, run_path):
            places[text] = len(strings)
            strings += text.encode() + b"\0"
        strings += bytes(-len(strings) % 8)
        tags = [(DT_NEEDED, places[name]) for name in needed]
        tags += [(DT_SONAME, places[soname])] if soname else []
        tags += [(DT_RPATH if rpath else DT_RUNPATH, places[run_path])] if run_path else []
        tags += [(DT_STRTAB, HEADERS), (DT_STRSZ, len(strings)), (DT_NULL, 0)]
        dynamic = b"".join(struct.pack("<qQ", *tag) for tag in tags)
        start, size = HEADERS + len(strings), HEADERS + len(strings) + len(dynamic)
        ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
        machine = {"x86_64": 62, "aarch64": 183}[platform.machine()]
        header = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
        load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
        points = struct.pack("<IIQQQQQQ", 2, 6, start, start, start, len(dynamic), len(dynamic), 8)
        return ident + header + load + points + strings + dynamic


@pytest.fixture
def linker() -> Linker:
    return Linker()
