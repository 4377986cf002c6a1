"""Tiny tars, layers and ELF files for the tests of runtime images."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from runtime_images.layer_contents import LayerContents, read_contents
from wheelyard.digests import Digest
from wheelyard.oci import Layer, compress_layer
from wheelyard.store.folder import FolderStore


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
    """Real shared libraries, made by the system's gcc."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def library(
        self, soname: str, needed: tuple[str, ...] = (), run_path: str = "", *, rpath: bool = False
    ) -> bytes:
        """A library that needs others, which are linked as empty stubs of that name."""
        for name in needed:
            if not (self._folder / name).exists():
                self._link(name, [f"-Wl,-soname,{name}"])
        flags = [f"-Wl,-soname,{soname}"] if soname else []
        if run_path:
            flags += [f"-Wl,-rpath,{run_path}", f"-Wl,--{'disable' if rpath else 'enable'}-new-dtags"]
        flags += ["-Wl,--no-as-needed", f"-L{self._folder}", *(f"-l:{name}" for name in needed)]
        return self._link(soname or "module.so", flags).read_bytes()

    def _link(self, name: str, flags: list[str]) -> Path:
        out = self._folder / name
        command = [
            "gcc",
            "-shared",
            "-nostdlib",
            "-x",
            "c",
            "/dev/null",
            "-x",
            "none",
            "-o",
            str(out),
            *flags,
        ]
        subprocess.run(command, check=True, timeout=60)
        return out


@pytest.fixture
def linker(tmp_path) -> Linker:
    folder = tmp_path / "linked"
    folder.mkdir()
    return Linker(folder)
