"""Runs in the container that makes a native artifact, a phase a call: unpack, compile, save-cache, smoke.

It needs the standard library only. Everything around it is foreign, so it decides nothing: the control
process looks at the archive that comes out. `/in/native.json` says what to do; `/in` is read-only, `/build`
an empty tmpfs.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

Order = dict[str, Any]

IN = Path("/in")
SRC = Path("/build/src")
OUT = Path("/build/out")
EPOCH = Path("/build/epoch")
UNPACKED = Path("/build/unpacked")
PACKED = Path("/build/native.tar")
MADE = Path("/build/made.json")


def fail(message: str) -> None:
    """End the phase with a message that the control process finds."""
    print(f"wheelyard: {message}", flush=True)
    sys.exit(3)


def unpack(order: Order) -> None:
    """Lay the first archive at /build/src, and in it Debian's own part and patches, and further sources."""
    first, *others = [IN / "sources" / name for name in order["sources"]]
    newest = extract(first, UNPACKED)
    tops = sorted(UNPACKED.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        fail(f"{first.name} has not one top folder but {[top.name for top in tops][:5]}")
    tops[0].rename(SRC)
    for other in others:
        newest = max(newest, extract(other, SRC))
    EPOCH.write_text(str(max(newest, 315_532_800)))
    apply_patches(SRC / "debian" / "patches")
    if importlib.import_module("ccache_folder").restore(step):
        print("compiler cache restored")


def extract(archive: Path, folder: Path) -> int:
    """Unpack an archive, and give the newest time in it."""
    folder.mkdir(exist_ok=True)
    try:
        with tarfile.open(archive) as pack:
            members = pack.getmembers()
            if hasattr(tarfile, "data_filter"):
                pack.extractall(folder, filter="data")
            else:
                pack.extractall(folder)  # noqa: S202 - the container is the wall
    except (tarfile.TarError, OSError, EOFError) as error:
        fail(f"{archive.name} can't be unpacked: {error}")
    return max((int(member.mtime) for member in members), default=0)


def apply_patches(folder: Path) -> None:
    """Apply Debian's patches in the order of their series (dpkg-source's format 3.0, quilt)."""
    series = folder / "series"
    lines = series.read_text("utf-8").splitlines() if series.is_file() else []
    for line in lines:
        name = line.partition("#")[0].strip().partition(" ")[0]
        if name:
            print(f"patch {name}", flush=True)
            step(
                ["patch", "-p1", "--forward", "--no-backup-if-mismatch", "--silent", "-i", str(folder / name)]
            )


def compile_native(order: Order) -> None:
    """Run the recipe's steps, and pack what they laid below the prefix."""
    os.environ["PATH"] = "/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin"
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH.read_text()
    OUT.mkdir()
    for words in order["steps"]:
        command = [placed(word, order) for word in words]
        print(f"$ {' '.join(command)}", flush=True)
        step(command)
    made = OUT / order["prefix"].lstrip("/")
    if not made.is_dir() or not any(made.iterdir()):
        fail(f"the steps laid nothing at @OUT@{order['prefix']}")
    with tarfile.open(PACKED, "w", format=tarfile.GNU_FORMAT) as pack:
        for place in sorted(made.iterdir()):
            pack.add(place, place.name)
    cache = importlib.import_module("ccache_folder")
    counted = sorted(pair for pair in cache.statistics().items() if "cache" in pair[0])
    print("compiler cache: " + " ".join(f"{name}={count}" for name, count in counted))
    MADE.write_text(json.dumps({"compiler_cache": cache.grew()}))


def placed(word: str, order: Order) -> str:
    """A word of a step with the places in it."""
    return word.replace("@PREFIX@", order["prefix"]).replace("@OUT@", str(OUT))


def step(command: list[str]) -> None:
    """Run one program in the sources' folder; its failure is the phase's."""
    try:
        done = subprocess.run(command, cwd=SRC if SRC.is_dir() else "/tmp", check=False)  # noqa: S108 - the container's
    except OSError as error:
        fail(f"{command[0]} can't be run: {error}")
        return
    if done.returncode != 0:
        fail(f"{Path(command[0]).name} failed with status {done.returncode}")


def save_cache(_order: Order) -> None:
    """Pack the compiler cache for the next build."""
    importlib.import_module("ccache_folder").pack(step)


def smoke(order: Order) -> None:
    """Run what shows that the artifact works, at its place."""
    for words in order["smoke"]:
        command = [placed(word, order) for word in words]
        print(f"$ {' '.join(command)}", flush=True)
        step(command)


PHASES = {"unpack": unpack, "compile": compile_native, "save-cache": save_cache, "smoke": smoke}

if __name__ == "__main__":
    # The engine's own one says nothing, and the archive has the modes of what the steps lay.
    os.umask(0o022)
    PHASES[sys.argv[1]](json.loads((IN / "native.json").read_text()))
