"""Runs in build containers: the compiler cache, as the last build left it and as the next one gets it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

KEPT = Path("/in/ccache.tar")
CACHE = Path("/build/ccache")
PACKED = Path("/build/ccache-out.tar")
Run = Callable[[list[str]], None]


def restore(run: Run) -> bool:
    """Lay what the last build left; returns whether there is some.

    :param run: runs one program; its failure ends the phase.
    """
    CACHE.mkdir()
    if not KEPT.exists():
        return False
    # Thousands of small files: the program is several times as fast as Python's module.
    run(["tar", "-xf", str(KEPT), "-C", str(CACHE)])
    return True


def statistics() -> dict[str, str]:
    """What ccache counted in this build; empty where there is none."""
    if not shutil.which("ccache"):
        return {}
    done = subprocess.run(["ccache", "--print-stats"], capture_output=True, text=True, check=False)
    lines = (line.partition("\t") for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def grew() -> bool:
    """Whether there is something new to keep for the next build."""
    return statistics().get("cache_miss", "0") != "0"


def pack(run: Run) -> None:
    """Pack it for the next build, without what no build took for long."""
    if shutil.which("ccache"):
        subprocess.run(["ccache", "--evict-older-than", "60d"], stdout=subprocess.DEVNULL, check=False)
    run(
        ["tar", "-cf", str(PACKED), "--sort=name", "--exclude=stats", "--exclude=tmp",
         "-C", str(CACHE), "."]
    )  # fmt: skip
