"""Packaging tools that others made, each in an environment of its own, made once per machine and version."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CACHE = Path.home() / ".cache" / "wheelyard-tests" / "clients"
TWINE, POETRY = "twine==7.0.0", "poetry==2.5.1"


def client_tool(requirement: str) -> Path:
    """The program of a package, installed from the package index that pip is configured for.

    :param requirement: the package, for instance `twine==7.0.0`; its program is named as it is.
    """
    program = requirement.partition("==")[0]
    name = f"{program}-{hashlib.sha256(f'{requirement} {sys.version}'.encode()).hexdigest()[:12]}"
    folder = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        # Tests may run in two processes.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            subprocess.run(
                [str(folder / "bin" / "pip"), "install", "--quiet", "--no-input", requirement],
                check=True, timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            (folder / "whole").touch()
    return folder / "bin" / program


def uv_program() -> Path:
    """The uv of this environment."""
    return Path(sys.executable).with_name("uv")


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """What a client sees: nothing of this machine's pip, uv or twine settings.

    :param home: an empty folder of the test's own.
    """
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PIP_CONFIG_FILE": os.devnull, **variables}
