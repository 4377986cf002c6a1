"""Runs pip-compile in a container, so that what a metadata hook needs comes from another view of the index.

    python lock_requirements.py SOURCE_VIEW BUILD_VIEW [ARGUMENT OF PIP-COMPILE...]

An sdist that has no wheel beside it must be asked for its metadata, and pip installs what that needs in a
process of its own, from the same index address. But what shall be compiled must have an sdist, and what a
hook needs may be any wheel: pip's own processes get the address of the build view. Python 3.9 or newer.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from piptools.scripts.compile import cli


def rerouted(command: Sequence[Any], source: str, build: str) -> list[Any]:
    """A command of pip's with one index address in place of the other, and wheels preferred there."""
    words: list[Any] = []
    for word in command:
        words += [build, "--prefer-binary"] if word == source else [word]
    return words


def main(argv: list[str]) -> None:
    """Put the other address into every process that pip starts, and run pip-compile."""
    _, source, build, *arguments = argv

    class Popen(subprocess.Popen):  # type: ignore[type-arg]  # as the standard library calls it
        def __init__(self, args: Any, *more: Any, **named: Any) -> None:
            command = rerouted(args, source, build) if isinstance(args, (list, tuple)) else args
            super().__init__(command, *more, **named)

    subprocess.Popen = Popen  # type: ignore[misc]
    sys.argv = ["pip-compile", *arguments]
    cli()


if __name__ == "__main__":
    main(sys.argv)
