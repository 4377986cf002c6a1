"""Runs in a container of a finished image: would programs and scripts start? None is started."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

HEAD = 4096
ELF64_LITTLE = b"\x7fELF\x02\x01"
PT_INTERP = 3
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
        return loader_problem(program)
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


def loader_of(program: Path) -> str:
    """The loader that a dynamic program names (PT_INTERP, elf(5)); empty for a static one, and for none."""
    with program.open("rb") as stream:
        head = stream.read(64)
        if len(head) < 64 or not head.startswith(ELF64_LITTLE):
            return ""
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        try:
            for number in range(count):
                stream.seek(table + number * size)
                row = stream.read(56)
                if len(row) == 56 and struct.unpack_from("<I", row)[0] == PT_INTERP:
                    stream.seek(struct.unpack_from("<Q", row, 8)[0])
                    name = stream.read(min(struct.unpack_from("<Q", row, 32)[0], HEAD))
                    return name.split(b"\0", 1)[0].decode(errors="replace")
        except (OSError, ValueError):
            # A place that no file has.
            return ""
    return ""


def loader_problem(program: Path) -> str:
    """What the loader says of a dynamic program's libraries, which it lists without running the program."""
    loader = loader_of(program)
    if not loader:
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
