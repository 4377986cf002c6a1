"""Runs in a container: the folder of a git commit becomes an sdist, by the project's own backend (PEP 517).

`/in/job.json` says what to do; `/in` is read-only, `/build` is an empty tmpfs. Around it is foreign code, so
the control process checks what comes out. It needs `build` and `pip` from the tools' own environment.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from build import BuildBackendException, BuildException, ProjectBuilder

IN = Path("/in")
STAGING = Path("/build/unpacked")
ENV = Path("/build/env")
RAW = Path("/build/raw")
OUT = Path("/build/out")
TOOLS = Path("/opt/wheelyard/bin")


def fail(message: str) -> NoReturn:
    """End with a message that the control process finds."""
    print(f"wheelyard: {message}", flush=True)
    sys.exit(3)


def unpack() -> Path:
    """Unpack the commit's folder, and give it."""
    STAGING.mkdir()
    try:
        with tarfile.open(IN / "source.tar.gz") as pack:
            # PEP 706, where this Python has it. Elsewhere the read-only root and the sandbox hold.
            safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            pack.extractall(STAGING, **safe)  # type: ignore[arg-type]  # noqa: S202
    except (tarfile.TarError, OSError) as error:
        fail(f"the commit's files can't be laid into one folder: {error}")
    return STAGING / "source"


def environment(job: dict[str, Any]) -> None:
    """Make the build environment of exactly the locked wheels."""
    subprocess.run([job["python"], "-m", "venv", "--without-pip", str(ENV)], check=True)
    wheels = sorted(str(wheel) for wheel in (IN / "wheels").iterdir())
    install = [
        str(TOOLS / "pip"),
        "--python",
        str(ENV / "bin" / "python"),
        "install",
        "--quiet",
        "--no-index",
    ]
    install += ["--no-deps", "--no-cache-dir", "--no-warn-script-location", *wheels]
    if wheels and subprocess.run(install, check=False).returncode:
        fail("its build requirements can't be installed")


def run_hook(
    cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
) -> None:
    """Run a hook with the environment's programs first on the PATH."""
    path = f"{ENV}/bin:/usr/local/bin:/usr/bin:/bin"
    variables = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(ENV), **(extra_environ or {})}
    subprocess.run(cmd, cwd=cwd, env=variables, check=True)


def make(job: dict[str, Any]) -> None:
    """Unpack, let the backend make the sdist, and pack it anew so that equal commits are equal bytes."""
    source = unpack()
    environment(job)
    os.environ["SOURCE_DATE_EPOCH"] = str(job["committed_at"])
    RAW.mkdir()
    try:
        builder = ProjectBuilder(str(source), python_executable=str(ENV / "bin" / "python"), runner=run_hook)
        builder.build("sdist", str(RAW), job["config_settings"])
    except (BuildException, BuildBackendException, subprocess.CalledProcessError) as error:
        fail(f"the build backend made no sdist: {error}")
    made = sorted(RAW.iterdir())
    if len(made) != 1 or not made[0].name.endswith(".tar.gz"):
        fail(f"the build backend left {[path.name for path in made][:5]}, expected one .tar.gz")
    OUT.mkdir()
    repack(made[0], OUT / made[0].name, job["committed_at"])
    Path("/build/made.json").write_text(json.dumps({"sdist": made[0].name}))


def repack(archive: Path, target: Path, committed_at: int) -> None:
    """The same members, sorted, with the commit's time and nobody's names."""
    try:
        with (
            tarfile.open(archive) as pack,
            target.open("wb") as stream,
            gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=committed_at) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as out,
        ):
            for member in sorted(pack.getmembers(), key=lambda one: one.name):
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.mtime = committed_at
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                member.pax_headers = {}
                out.addfile(member, pack.extractfile(member) if member.isreg() else None)
    except (tarfile.TarError, OSError, EOFError) as error:
        fail(f"the sdist that the build backend made can't be read: {error}")


if __name__ == "__main__":
    make(json.loads((IN / "job.json").read_text()))
