"""Runs in a container: what an sdist needs to be built (PEP 518), and what its backend adds (PEP 517).

    python build_requires.py static ARCHIVE OUT
    python build_requires.py dynamic PYTHON LOCK CONFIG OUT

The first call unpacks the archive, and changes it by the patches beside this script; the second one makes an
environment of the locked wheels and asks the backend in it. Both write a JSON list of requirements. Foreign
code runs here, so its reader checks what is written. It needs `build` and `pip` from the tools' own
environment, on Python 3.9 or newer.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from build import BuildBackendException, BuildException, ProjectBuilder

PATCHES = Path(__file__).with_name("patches")
STAGING = Path("/build/unpacked")
ENVIRONMENT = Path("/build/hooks")


def fail(message: str) -> NoReturn:
    """End with a message that the control process finds."""
    print(f"wheelyard: {message}", flush=True)
    sys.exit(3)


def unpack(archive: Path) -> Path:
    """Unpack an sdist and give its one top folder (PEP 625)."""
    STAGING.mkdir()
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as pack:
                pack.extractall(STAGING)  # noqa: S202  # zipfile drops parent folders and drive letters itself
        else:
            with tarfile.open(archive) as pack:
                # PEP 706, where this Python has it. Elsewhere the read-only root and the sandbox hold.
                safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                pack.extractall(STAGING, **safe)  # type: ignore[arg-type]  # noqa: S202
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        fail(f"it can't be unpacked: {str(error).splitlines()[0].rstrip(':')}")
    patches = importlib.import_module("source_patches")
    try:
        patches.apply_patches(PATCHES, top(), archive.name)
    except patches.PatchRefused as error:
        fail(str(error))
    return top()


def top() -> Path:
    """The one folder that the sdist consists of."""
    tops = sorted(STAGING.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        fail(f"it has not one top folder (PEP 625) but {[entry.name for entry in tops][:5]}")
    return tops[0]


def run_hook(
    cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
) -> None:
    """Run a hook with the environment's programs first on the PATH."""
    path = f"{ENVIRONMENT}/bin:{os.environ.get('PATH', '/usr/bin:/bin')}"
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(ENVIRONMENT), **(extra_environ or {})}
    subprocess.run(cmd, cwd=cwd, env=environment, check=True)


def static(archive: str, out: str) -> None:
    """What `build-system.requires` lists, or setuptools where there is no such table."""
    try:
        requires = ProjectBuilder(str(unpack(Path(archive)))).build_system_requires
    except BuildException as error:
        fail(f"its pyproject.toml can't be used: {error}")
    Path(out).write_text(json.dumps(sorted(requires)), encoding="utf-8")


def dynamic(python: str, lock: str, config: str, out: str) -> None:
    """What the backend's `get_requires_for_build_wheel` adds."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(ENVIRONMENT)], check=True)
    inner = str(ENVIRONMENT / "bin" / "python")
    if Path(lock).stat().st_size:
        install = [sys.executable, "-m", "pip", "--python", inner, "install", "--quiet", "--no-deps"]
        install += ["--require-hashes", "--only-binary", ":all:", "--no-warn-script-location", "-r", lock]
        if subprocess.run(install, check=False).returncode:
            fail("its build requirements can't be installed")
    try:
        builder = ProjectBuilder(str(top()), python_executable=inner, runner=run_hook)
        requires = builder.get_requires_for_build("wheel", json.loads(Path(config).read_text("utf-8")))
    except (BuildException, BuildBackendException, subprocess.CalledProcessError) as error:
        fail(f"its build backend failed when it was asked what it needs: {error}")
    Path(out).write_text(json.dumps(sorted(requires)), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "static":
        static(*sys.argv[2:])
    else:
        dynamic(*sys.argv[2:])
