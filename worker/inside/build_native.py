"""Runs in the container that makes a native artifact, a phase a call: unpack, compile, save-cache, smoke.

It needs the standard library only. Everything around it is foreign, so it decides nothing: the control
process looks at the archive that comes out. `/in/native.json` says what to do; `/in` is read-only, `/build`
an empty tmpfs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

Order = dict[str, Any]

IN = Path("/in")
SRC = Path("/build/src")
OUT = Path("/build/out")
CACHE = Path("/build/ccache")
CACHE_OUT = Path("/build/ccache-out.tar")
EPOCH = Path("/build/epoch")
UNPACKED = Path("/build/unpacked")
PACKED = Path("/build/native.tar")
MADE = Path("/build/made.json")


def fail(message: str) -> None:
    """End the phase with a message that the control process finds."""
    print(f"wheelyard: {message}", flush=True)
    sys.exit(3)


def unpack(order: Order) -> None:
    """Lay the first archive at /build/src, and Debian's own part and patches in it."""
    first, *others = [IN / "sources" / name for name in order["sources"]]
    newest = extract(first, UNPACKED)
    tops = sorted(UNPACKED.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        fail(f"{first.name} has not one top folder but {[top.name for top in tops][:5]}")
    tops[0].rename(SRC)
    for other in others:
        if ".debian.tar." not in other.name:
            fail(f"it is not known where {other.name} belongs: only Debian's own part may follow the sources")
        newest = max(newest, extract(other, SRC))
    EPOCH.write_text(str(max(newest, 315_532_800)))
    apply_patches(SRC / "debian" / "patches")
    CACHE.mkdir()
    if (IN / "ccache.tar").exists():
        # Thousands of small files: the program is several times as fast as Python's module.
        step(["tar", "-xf", str(IN / "ccache.tar"), "-C", str(CACHE)])
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
    MADE.write_text(json.dumps({"compiler_cache": compiler_cache_grew()}))


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


def compiler_cache_grew() -> bool:
    """Whether there is something new to keep for the next build; what ccache counted is told."""
    if not shutil.which("ccache"):
        return False
    done = subprocess.run(["ccache", "--print-stats"], capture_output=True, text=True, check=False)
    found = dict(line.split("\t")[:2] for line in done.stdout.splitlines() if "\t" in line)
    print(
        "compiler cache: "
        + " ".join(f"{name}={found.get(name)}" for name in sorted(found) if "cache" in name)
    )
    return found.get("cache_miss", "0") != "0"


def save_cache(_order: Order) -> None:
    """Pack the compiler cache for the next build, without what no build took for long."""
    if shutil.which("ccache"):
        subprocess.run(["ccache", "--evict-older-than", "60d"], stdout=subprocess.DEVNULL, check=False)
    step(
        [
            "tar",
            "-cf",
            str(CACHE_OUT),
            "--sort=name",
            "--exclude=stats",
            "--exclude=tmp",
            "-C",
            str(CACHE),
            ".",
        ]
    )


def smoke(order: Order) -> None:
    """Run what shows that the artifact works, at its place."""
    for words in order["smoke"]:
        command = [placed(word, order) for word in words]
        print(f"$ {' '.join(command)}", flush=True)
        step(command)


PHASES = {"unpack": unpack, "compile": compile_native, "save-cache": save_cache, "smoke": smoke}

if __name__ == "__main__":
    PHASES[sys.argv[1]](json.loads((IN / "native.json").read_text()))
