"""Steps of ours inside a toolchain's container: each must succeed, or its last words are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from wheelyard.errors import EngineFailed
from worker.engine.contract import Container

STEP_TIMEOUT = 600.0
PACKED = "/tmp/packed.tar"  # noqa: S108 - a path inside the container

# Bytecode is made in a step of its own, with a fixed hash seed; pip has no cache and no index there.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_CONFIG_FILE": "/dev/null",
}

_PACK = """\
import sys, tarfile
with tarfile.open(sys.argv[2], "w", format=tarfile.GNU_FORMAT) as tar:
    tar.add(sys.argv[1], ".")
"""


def run_step(
    container: Container, argv: Sequence[str], report: Callable[[str], None], timeout: float = STEP_TIMEOUT
) -> list[str]:
    """Run one command of ours; returns the last lines that it wrote.

    :param report: takes each line.
    :param timeout: in seconds.
    :raises EngineFailed: it ended with another status than 0.
    """
    last: deque[str] = deque(maxlen=100_000)

    def take(line: str) -> None:
        last.append(line)
        report(line)

    ended = container.run(argv, on_line=take, timeout=timeout, environment=ENVIRONMENT)
    if ended.code != 0:
        raise EngineFailed(
            f"`{' '.join(argv[:6])}` failed in the container with status {ended.code}",
            found="\n".join(list(last)[-10:]) + ("\n(out of memory)" if ended.out_of_memory else ""),
        )
    return list(last)


def copy_folder_out(container: Container, python: str, folder: str, target: Path, limit: int) -> None:
    """Pack a folder of the container and copy the archive out; its names are relative to the folder.

    :param python: an interpreter there.
    :param target: the uncompressed tar archive, which still has to be normalised.
    :param limit: bytes at the most.
    """
    run_step(container, [python, "-c", _PACK, folder, PACKED], lambda _line: None)
    with target.open("wb") as stream:
        container.read_file(PACKED, stream, limit)
