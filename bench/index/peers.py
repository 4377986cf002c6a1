"""The peers: devpi-server, pypiserver and proxpi, each in its own environment, with the same corpus."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

from bench.index.corpus import Corpus
from bench.index.served import Server
from wheelyard.process import run_command
from wheelyard.stack.ports import free_ports
from wheelyard.stack.program import Program

NAMES = ("devpi", "pypiserver", "proxpi")
_PACKAGES = {
    "devpi": ("devpi-server",),
    # With its cache of listings and hashes, and a server that its manual names.
    "pypiserver": ("pypiserver[cache]", "gunicorn"),
    "proxpi": ("proxpi", "gunicorn"),
}
_LINKS_PER_FILE = 20_000
"""File systems bound how many names one file may have; ext4 takes 65,000."""


def environment_of(name: str, folder: Path) -> Path:
    """The programs of a peer, installed where they are not yet.

    :param folder: for the environments of all peers.
    :raises InfrastructureError: it can't be installed.
    """
    place = folder / name
    if not (place / "installed").exists():
        shutil.rmtree(place, ignore_errors=True)
        run_command([sys.executable, "-m", "venv", str(place)], timeout=300)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        run_command([*pip, *_PACKAGES[name]], timeout=900)
        (place / "installed").touch()
    return place / "bin"


def versions_of(name: str, programs: Path) -> str:
    """The peer's version, for the output."""
    package = _PACKAGES[name][0].partition("[")[0]
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return f"{package} {run_command([str(programs / 'python'), '-c', code], timeout=60).strip()}"


def pypiserver(programs: Path, corpus: Corpus, folder: Path) -> Server:
    """A folder of wheels served by pypiserver, where every file is a link to one of a few."""
    began = time.perf_counter()
    packages = _linked(corpus, folder / "pypiserver" / "packages")
    took = time.perf_counter() - began
    (port,) = free_ports(1)
    options = 'backend_arg="cached-dir", hash_algo="sha256", disable_fallback=True'
    application = f"pypiserver:app(root={str(packages)!r}, {options})"
    argv = [*_gunicorn(programs, port), application]
    return Server(
        name="pypiserver",
        program=Program(name="pypiserver", argv=tuple(argv), cwd=folder),
        port=port,
        simple="/simple/",
        files=corpus.files,
        fill_seconds=round(took, 1),
        note="gunicorn with 8 threads, cached-dir backend",
    )


def devpi(programs: Path, corpus: Corpus, folder: Path) -> Server:
    """devpi-server, filled by its own import of an export that is written here."""
    began = time.perf_counter()
    export, state = folder / "devpi" / "export", folder / "devpi" / "state"
    _linked(corpus, export / "root" / "dev")
    (export / "dataindex.json").write_text(json.dumps(_export_of(corpus)), "utf-8")
    run_command(
        [
            *(str(programs / "devpi-import"), "--serverdir", str(state), "--no-events", "--hard-links"),
            *("--no-root-pypi", str(export)),
        ],
        timeout=6 * 3600,
    )
    took = time.perf_counter() - began
    (port,) = free_ports(1)
    argv = [
        *(str(programs / "devpi-server"), "--serverdir", str(state), "--host", "127.0.0.1"),
        *("--port", str(port)),
    ]
    return Server(
        name="devpi",
        program=Program(name="devpi", argv=tuple(argv), cwd=folder),
        port=port,
        simple="/root/dev/+simple/",
        files=corpus.files,
        fill_seconds=round(took, 1),
        note="filled by devpi-import",
    )


def proxpi(programs: Path, corpus: Corpus, folder: Path, upstream: str) -> Server:
    """proxpi, which holds no files of its own, in front of another index.

    :param upstream: address of that one's simple index.
    """
    (port,) = free_ports(1)
    cache = folder / "proxpi"
    cache.mkdir(parents=True, exist_ok=True)
    argv = [*_gunicorn(programs, port), "proxpi.server:app"]
    return Server(
        name="proxpi",
        program=Program(
            name="proxpi",
            argv=tuple(argv),
            environment={
                "PROXPI_INDEX_URL": upstream,
                "PROXPI_CACHE_DIR": str(cache),
                "PROXPI_LOGGING_LEVEL": "ERROR",
            },
            cwd=folder,
        ),
        port=port,
        simple="/index/",
        files=corpus.files,
        fill_seconds=0.0,
        note="gunicorn with 8 threads; a cache in memory in front of our index",
    )


def _gunicorn(programs: Path, port: int) -> list[str]:
    """One process with threads, as the others and we are."""
    words = ["--workers", "1", "--threads", "8", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    return [str(programs / "gunicorn"), *words]


def _linked(corpus: Corpus, folder: Path) -> Path:
    """A folder with every file of the corpus, as links to as few files as the file system takes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    body = corpus.wheel
    original = folder
    for number, wheel in enumerate(corpus):
        place = folder / wheel.filename
        if number % _LINKS_PER_FILE == 0:
            place.write_bytes(body)
            original = place
        else:
            os.link(original, place)
    return folder


def _export_of(corpus: Corpus) -> dict[str, object]:
    """What `devpi-export` would have written (its dump version 2)."""
    moment = "Mon, 24 Nov 2025 12:00:00 GMT"
    files = [
        {
            "type": "releasefile",
            "projectname": wheel.project,
            "version": wheel.version,
            "relpath": f"root/dev/{wheel.filename}",
            "entrymapping": {"last_modified": moment},
        }
        for wheel in corpus
    ]
    projects = {
        project: {
            wheel.version: {
                "name": project,
                "version": wheel.version,
                "metadata_version": "2.1",
                "requires_python": ">=3.9",
            }
            for wheel in corpus.wheels(project)
        }
        for project in corpus.projects
    }
    index = {"type": "stage", "volatile": True, "bases": [], "acl_upload": ["root"], "mirror_whitelist": []}
    return {
        "dumpversion": "2",
        "users": {"root": {"username": "root", "indexes": {}}},
        "indexes": {"root/dev": {"indexconfig": index, "projects": projects, "files": files}},
    }
