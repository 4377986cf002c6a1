"""A tiny image with busybox only: enough to prove the sandbox on a machine that has no toolchain yet."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Literal

from wheelyard.errors import EngineFailed, InfrastructureError
from wheelyard.oci import Image, Runtime, compress_layer, make_image, write_docker_archive
from wheelyard.process import run_command
from worker.engine.contract import Engine

TAG = "localhost/wheelyard-proof:latest"
DOWNLOAD_TIMEOUT = 300.0
ACCOUNTS = "root:x:0:0:root:/:/bin/sh\nbuild:x:1000:1000:build:/tmp/home:/bin/sh\n"


def load_proof_image(engine: Engine) -> str:
    """Make the image and load it into the engine; returns its id. The same busybox gives the same image.

    :raises EngineFailed: no static busybox can be had, or the engine refuses the image.
    """
    with tempfile.TemporaryDirectory(prefix="wheelyard-proof-") as folder:
        binary = _static_busybox(Path(folder))
        layer_file = Path(folder) / "layer.tar.gz"
        image = _image_of(binary, layer_file)
        if engine.has_image(str(image.id)):
            return str(image.id)
        archive = Path(folder) / "image.tar"
        with archive.open("wb") as target:
            write_docker_archive(target, image, lambda _digest: layer_file.open("rb"), tags=(TAG,))
        return engine.load(archive)


def _image_of(binary: Path, layer_file: Path) -> Image:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder, mode in (("bin", 0o755), ("build", 0o1777), ("etc", 0o755), ("tmp", 0o1777)):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, mode
            tar.addfile(member)
        for name, mode, content in (
            ("bin/busybox", 0o755, binary.read_bytes()),
            ("etc/passwd", 0o644, ACCOUNTS.encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
        applets = run_command([str(binary), "--list"], timeout=30).split()
        for applet in sorted(set(applets) - {"busybox"}):
            member = tarfile.TarInfo(f"bin/{applet}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
    plain.seek(0)
    with layer_file.open("wb") as target:
        layer = compress_layer(plain, target, "busybox", level=1)
    return make_image([layer], Runtime(workdir="/", environment={"PATH": "/bin"}))


def _static_busybox(folder: Path) -> Path:
    unpacked = folder / "busybox-static"
    installed = shutil.which("busybox")
    if installed and is_static(Path(installed)):
        return Path(installed)
    try:
        run_command(["apt-get", "download", "-q", "busybox-static"], timeout=DOWNLOAD_TIMEOUT, cwd=folder)
        package = next(folder.glob("busybox-static_*.deb"))
        run_command(
            ["dpkg-deb", "-x", str(package), str(folder / "busybox-static")], timeout=DOWNLOAD_TIMEOUT
        )
    except InfrastructureError as error:
        raise EngineFailed(
            "there is no image to prove the sandbox with",
            expected="a static busybox, installed or from the Debian mirror",
            found=error.found or error.failed,
            do="run `apt-get update && apt-get install busybox-static`",
        ) from error
    found = [place for place in unpacked.rglob("busybox") if is_static(place)]
    return found[0]


def is_static(binary: Path) -> bool:
    """Whether a file is an ELF program without a dynamic loader (no PT_INTERP), so that it needs nothing."""
    if not binary.is_file():
        return False
    with binary.open("rb") as stream:
        head = stream.read(64)
        if head[:4] != b"\x7fELF" or head[4] != 2:
            return False
        order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
        offset = int.from_bytes(head[32:40], order)
        size = int.from_bytes(head[54:56], order)
        count = int.from_bytes(head[56:58], order)
        stream.seek(offset)
        table = stream.read(size * count)
    return all(int.from_bytes(table[at : at + 4], order) != 3 for at in range(0, len(table), max(size, 1)))
