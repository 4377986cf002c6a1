"""Write the lock files: exact versions with hashes, for the oldest Python that we run on (3.11.2).

Run it with that Python, in an environment that has pip-tools. The index is pip's configured one; where that
configuration adds folders of its own, run it with `PIP_CONFIG_FILE=/dev/null`, or the hashes will be theirs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OPTIONS = (
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--strip-extras",
    # The extras name each other, so the project is among its own requirements; it comes with --no-deps.
    "--unsafe-package=wheelyard",
)


def lock(extra: str) -> None:
    """Write `EXTRA.txt`, keeping the versions that are in it where they still fit.

    :raises subprocess.CalledProcessError: pip-compile said why on standard error.
    """
    target = HERE / f"{extra}.txt"
    output = f"--output-file=requirements/{extra}.txt"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "piptools",
            "compile",
            "--quiet",
            f"--extra={extra}",
            *OPTIONS,
            output,
            "pyproject.toml",
        ],
        cwd=HERE.parent,
        timeout=900,
        check=True,
    )
    pinned, _, _ = target.read_text().partition("\n# WARNING: The following packages were not pinned")
    target.write_text(pinned.rstrip() + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:] or ["server", "dev"]:
        lock(name)
