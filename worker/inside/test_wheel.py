"""Runs in a clean container: installs one wheel with what it needs at run time, imports and smokes it.

`/in/test.json` names the wheel, the modules and the smoke test; `/in/wheels` holds what pip may take.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

IN = Path("/in")
ENV = Path("/build/env")


def run(command: Sequence[str], what: str) -> None:
    """Run one program; its failure is the phase's."""
    done = subprocess.run(command, check=False, cwd="/tmp")  # noqa: S108 - the container's own
    if done.returncode != 0:
        print(f"wheelyard: {what}", flush=True)
        sys.exit(3)


def main() -> None:
    """Install, import, smoke."""
    order = json.loads((IN / "test.json").read_text())
    run([order["python"], "-m", "venv", "--without-pip", str(ENV)], "the test environment could not be made")
    python = str(ENV / "bin" / "python")
    run(
        ["/opt/wheelyard/bin/pip", "--python", python, "install", "--quiet", "--no-index", "--no-cache-dir",
         "--find-links", str(IN / "wheels"), str(IN / "wheels" / order["wheel"])],
        f"{order['wheel']} could not be installed with what it needs at run time",
    )  # fmt: skip
    for module in order["modules"]:
        run([python, "-c", f"import {module}"], f"import {module} failed")
        print(f"imported {module}")
    if order["smoke"]:
        run([python, "-c", order["smoke"]], "the recipe's smoke test failed")
        print("smoke test passed")


if __name__ == "__main__":
    main()
