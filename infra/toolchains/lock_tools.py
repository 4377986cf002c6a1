"""Write tools-cp3XX.txt: the builder's own tools with versions and hashes, for each Python of a toolchain.

Run it in the dev environment, which has uv: unlike pip-compile it resolves for Pythons that a machine lacks.
The index is uv's configured one; no address of it goes into the files.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
# Old enough for the oldest toolchain: wheels for it run on every later one.
PLATFORM = "x86_64-manylinux_2_28"


def lock(version: str) -> None:
    """Write the lock for one Python, keeping the versions that are in it where they still fit.

    :param version: major and minor version, for instance `3.11`.
    :raises subprocess.CalledProcessError: uv said why on standard error.
    """
    name = f"tools-cp{version.replace('.', '')}.txt"
    subprocess.run(
        [
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--no-config",
            f"--python-version={version}",
            f"--python-platform={PLATFORM}",
            "--only-binary=:all:",
            "--generate-hashes",
            "--no-header",
            f"--output-file={name}",
            "tools.in",
        ],
        cwd=HERE,
        timeout=300,
        check=True,
    )


if __name__ == "__main__":
    for wanted in sys.argv[1:] or PYTHONS:
        lock(wanted)
