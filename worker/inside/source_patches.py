"""Runs in containers: changes the unpacked sources by a recipe's patches, in their order, exactly.

A folder holds them as `NNN-NAME`. A hunk that does not fit as it is written is an error: a patch that is
applied with some of its context gone may do something else than was meant.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

_FILE = re.compile(r"^(?:patching|checking) (?:file|symbolic link) (?P<name>'.+'|\S+)")
_HUNK = re.compile(r"^Hunk #(?P<number>\d+) (?:FAILED|NOT MERGED)")
_NO_FILE = re.compile(r"^can't find file to patch at input line (?P<line>\d+)")


class PatchRefused(Exception):
    """A patch does not fit the sources."""


def apply_patches(folder: Path, sources: Path, title: str) -> None:
    """Apply every patch of a folder to the sources.

    :param title: project and version, for messages.
    :raises PatchRefused: one does not fit; the text names it, the file and the hunk.
    """
    for patch in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = patch.name.partition("-")[2]
        # Force: no question is asked, and a patch that looks reversed is not turned around.
        done = subprocess.run(
            ["patch", "-p1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "-i", str(patch)],
            cwd=sources,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        print(f"patch {name}")
        for line in done.stdout.splitlines():
            print(f"  {line}")
        if done.returncode != 0:
            failed = failures(done.stdout.splitlines(), patch.read_text(errors="replace").splitlines())
            raise PatchRefused(f"the patch {name} does not apply to {title}: {failed}")


def failures(said: Iterable[str], patch: list[str]) -> str:
    """What did not fit, by what `patch` said: `hunk 1 of src/a.c`.

    :param patch: its lines, to name a file that is not there.
    """
    found: list[str] = []
    file = ""
    last = ""
    for line in said:
        last = line.strip() or last
        if named := _FILE.match(line):
            file = named["name"].strip("'")
        elif hunk := _HUNK.match(line):
            found.append(f"hunk {hunk['number']} of {file}")
        elif gone := _NO_FILE.match(line):
            found.append(f"{_wanted_file(patch, int(gone['line']))} is not in the sources")
    return ", ".join(found[:5]) or last or "patch says nothing of why"


def _wanted_file(patch: list[str], line: int) -> str:
    for text in reversed(patch[: max(line - 1, 0)]):
        if text.startswith(("+++ ", "--- ")):
            name = text[4:].split("\t")[0].strip()
            if name != "/dev/null":
                return name.partition("/")[2] or name
    return "a file"
