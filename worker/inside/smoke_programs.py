"""Runs in a container of a finished image: would programs and scripts start? None is started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

LOADERS = ("ld-linux", "ld64.so", "ld.so", "ld-musl")
HEAD = 4096
LOADER_SECONDS = 20


def entry_point_problem(words: list[str], workdir: str) -> str:
    """Why the program of an entry point would not start; empty where it would.

    :param words: the program and its arguments.
    """
    if "/" in words[0]:
        return start_problem(Path(workdir) / words[0])
    program = shutil.which(words[0])
    return f"no folder of PATH has a program {words[0]}" if program is None else start_problem(Path(program))


def start_problem(program: Path) -> str:
    """Why a program would not start; empty where it would."""
    if not program.is_file():
        return f"{program} is not there"
    if not os.access(program, os.X_OK):
        return f"{program} may not be executed"
    with program.open("rb") as stream:
        head = stream.read(HEAD)
    if head.startswith(b"#!"):
        return interpreter_problem(head[2:].split(b"\n", 1)[0].decode(errors="replace").split())
    if head.startswith(b"\x7fELF"):
        return loader_problem(program, head)
    return "it is neither a program nor a script"


def interpreter_problem(words: list[str]) -> str:
    """What is wrong with the first line of a script.

    :param words: behind `#!`.
    """
    if not words or not os.access(words[0], os.X_OK):
        return f"its interpreter {words[0] if words else ''!r} is not in the image"
    if Path(words[0]).name == "env":
        wanted = next((word for word in words[1:] if not word.startswith("-")), "")
        return "" if shutil.which(wanted) else f"its interpreter {wanted!r} is not in the image"
    return ""


def loader_problem(program: Path, head: bytes) -> str:
    """What the loader says of a dynamic program's libraries, which it lists without running the program.

    :param head: the program's first bytes, which name its loader.
    """
    place = head.find(b"/ld")
    if place < 0:
        return ""
    loader = head[head.rfind(b"\0", 0, place) + 1 : head.find(b"\0", place)].decode(errors="replace")
    if not Path(loader).name.startswith(LOADERS):
        return ""
    try:
        done = subprocess.run(
            [loader, "--list", str(program)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LOADER_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return f"its loader {loader} is not in the image"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its loader {loader} can't be asked: {error}"
    said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    lost = [line.strip() for line in said if "not found" in line or "cannot open shared object" in line]
    return "; ".join(lost[:5])
