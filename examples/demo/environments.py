"""Fresh virtual environments that pip and uv fill from the cache's index and from nowhere else."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.demo.commands import keep

INSTALL_SECONDS = 600


def _environment() -> dict[str, str]:
    """The user's own, without what would send pip or uv to other indexes, and without a proxy to loopback."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV"))
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def install_with_pip(folder: Path, index_url: str, projects: Sequence[str]) -> Path:
    """Make a virtual environment and let pip install projects as wheels from one index.

    :returns: its interpreter.
    """
    shutil.rmtree(folder, ignore_errors=True)
    # Without a pip of its own: what is in it afterwards came from the index.
    keep([sys.executable, "-m", "venv", "--without-pip", str(folder)], seconds=INSTALL_SECONDS)
    python = folder / "bin" / "python"
    options = [
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--only-binary",
        ":all:",
        "--index-url",
        index_url,
    ]
    keep(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *options, *projects],
        seconds=INSTALL_SECONDS,
        environment=_environment(),
    )
    return python


def install_with_uv(folder: Path, index_url: str, projects: Sequence[str]) -> Path:
    """The same with uv.

    :returns: its interpreter.
    """
    shutil.rmtree(folder, ignore_errors=True)
    uv = [str(Path(sys.executable).parent / "uv"), "--no-config", "--no-cache"]
    interpreter = os.path.realpath(sys.executable)
    keep(
        [*uv, "venv", "--python", interpreter, str(folder)],
        seconds=INSTALL_SECONDS,
        environment=_environment(),
    )
    python = folder / "bin" / "python"
    options = ["--python", str(python), "--only-binary", ":all:", "--default-index", index_url]
    keep([*uv, "pip", "install", *options, *projects], seconds=INSTALL_SECONDS, environment=_environment())
    return python


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
