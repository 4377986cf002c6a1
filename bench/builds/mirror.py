"""A folder of pinned files as a simple index on loopback, so that nobody's downloads are timed."""

from __future__ import annotations

import html
import http.client
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from wheelyard.digests import Digest
from wheelyard.stack.ports import free_ports
from wheelyard.toolchains import Toolchain
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.listing import ListedFile
from wheelyard.upstream.pip_index import configured_index
from worker.wheel_choice import best_wheel

_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One version of one project.

    :param project: canonical name (PEP 503).
    """

    project: str
    version: str


def read_pins(path: Path) -> list[Pin]:
    """The pins of a file, one `NAME==VERSION` a line; `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    parts = (line.partition("==") for line in lines if line)
    return [Pin(project=canonicalize_name(name), version=version) for name, _, version in parts]


class Mirror:
    """The folder: `files/` with the bytes, `simple/` with a page for each project, as a web server shows it.

    :param folder: kept between runs; a file that is there is not fetched again.
    :param toolchain: which the wheels have to fit.
    """

    def __init__(self, folder: Path, toolchain: Toolchain) -> None:
        self.folder = folder
        self._toolchain = toolchain
        self._upstream = Upstream(configured_index())

    def fill(self, pins: Iterable[Pin]) -> None:
        """Fetch the sdist and the best wheel of each pin, and write the pages of exactly these.

        :raises NotFound: the index lacks a pin.
        """
        (self.folder / "files").mkdir(parents=True, exist_ok=True)
        listed: dict[str, list[ListedFile]] = {}
        for pin in pins:
            versions = self._upstream.listing(pin.project).of_version(pin.version)
            chosen = [file for file in versions if file.kind == "sdist"][:1]
            wheel = best_wheel(versions, self._toolchain)
            chosen += [] if wheel is None else [wheel]
            if not chosen:
                raise LookupError(f"{pin.project} {pin.version}: no sdist and no wheel that fits")
            for file in chosen:
                self._fetch(file)
            listed.setdefault(pin.project, []).extend(chosen)
        self._write_pages(listed)

    def _fetch(self, file: ListedFile) -> None:
        target = self.folder / "files" / file.filename
        if target.exists() and Digest.of_file(target) == file.digest:
            return
        landing = target.with_suffix(".part")
        with landing.open("wb") as stream:
            self._upstream.download(file, stream, 4 << 30)
        landing.replace(target)

    def _write_pages(self, listed: Mapping[str, Iterable[ListedFile]]) -> None:
        for project, files in listed.items():
            page = self.folder / "simple" / project / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            links = "\n".join(self._link(file) for file in files)
            page.write_text(f"<!DOCTYPE html>\n<html><body>\n{links}\n</body></html>\n", "utf-8")

    def _link(self, file: ListedFile) -> str:
        """The link of a file; a wheel's metadata lies beside it (PEP 658), as on the real index."""
        path = self.folder / "files" / file.filename
        extra = f' data-requires-python="{html.escape(file.requires_python)}"' if file.requires_python else ""
        if file.kind == "wheel":
            metadata = _metadata_of(path)
            path.with_name(f"{path.name}.metadata").write_bytes(metadata)
            extra += f' data-core-metadata="sha256={Digest.of(metadata).hex}"'
        digest = Digest.of_file(path).hex
        href = f"../../files/{file.filename}#sha256={digest}"
        return f'<a href="{href}"{extra}>{file.filename}</a><br>'


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a mirror in a process of its own; gives the address of its simple pages."""
    (port,) = free_ports(1)
    program = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    )
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}/simple/"
    finally:
        program.terminate()
        program.wait(10)


def _wait(port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        finally:
            connection.close()


def _metadata_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(
            one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1
        )
        return archive.read(name)
