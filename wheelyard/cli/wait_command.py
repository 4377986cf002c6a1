"""The command that waits until the index has all of a lock, and lets be built what it lacks."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wheelyard.cli.build_command import Batch, ChannelName, Progress, ToolchainName
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import session_of

if TYPE_CHECKING:
    from wheelyard.user_lock import UserLock

LockFiles = Annotated[
    list[Path],
    typer.Option(
        "--requirement", "-r", help="The lock; may be repeated. `-` is standard input.", metavar="FILE"
    ),
]
WriteLock = Annotated[
    Path | None,
    typer.Option(
        "--write-lock", help="Write the lock with the hashes of the index's own wheels beside its own.",
        metavar="FILE", dir_okay=False,
    ),
]  # fmt: skip


def wait(
    context: typer.Context,
    files: LockFiles,
    channel: ChannelName = "default",
    toolchain: ToolchainName = "",
    timeout: Annotated[
        str, typer.Option(help="How long to wait at the most, such as 90m or 2h.", metavar="TIME")
    ] = "",
    write_lock: WriteLock = None,
    batch: Batch = False,
    progress: Progress = ProgressStyle.AUTO,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Only one JSON document at the end.")] = False,
) -> None:
    """Wait until pip can install all of a lock from the index; what is missing is built.

    The lock is one that pip-tools or uv wrote, a pylock.toml, or any requirements file with exact versions.
    Whether a wheel fits is decided as pip does it for the toolchain's Python: by version, tags,
    Requires-Python, and by hash where the lock has hashes. The same lock of two people is built once.

    A lock that was made elsewhere allows only the wheels of elsewhere by hash. With --write-lock it allows
    those too that were built here from an sdist whose hash is in the lock; each is fetched and counted first.

    \b
    Examples:
      wheelyard wait -r lock.txt && pip install --index-url $WHEELYARD_URL/simple/ -r lock.txt
      wheelyard wait -r lock.txt -r dev.txt --toolchain debian12-cp311 --timeout 2h
      wheelyard wait -r lock.txt --write-lock lock.here.txt
      uv export --no-emit-project | wheelyard wait -r - --dry-run
    """
    from wheelyard.cli.lock_wait import LockWait

    session = session_of(context)
    lock = _read_lock(files, written=write_lock is not None or dry_run)
    style = ProgressStyle.QUIET if as_json else progress
    limit = time.monotonic() + _seconds(timeout) if timeout else None
    with session.client() as client:
        waiting = LockWait(
            client=client,
            lock=lock,
            files=tuple(files),
            toolchain=toolchain or session.settings().toolchain,
            channel=channel,
            batch=batch,
            style=style,
            as_json=as_json,
            limit=limit,
        )
        raise typer.Exit(waiting.tell() if dry_run else waiting.run(write_lock))


def _read_lock(files: list[Path], *, written: bool) -> UserLock:
    """The lock of some files.

    :param written: whether it is written anew, or only told of.
    :raises InputError: a file is no lock, or could not be installed from another index as it is.
    """
    from wheelyard.errors import InputError
    from wheelyard.inputs.pylock import is_pylock_name, user_lock_of_pylock
    from wheelyard.inputs.requirements_file import read_text
    from wheelyard.user_lock import joined_locks, read_user_lock

    texts, locks = [], []
    for path in files:
        if path.name in {"uv.lock", "pyproject.toml"}:
            raise InputError(
                f"{path} can't be waited for",
                expected="requirements with exact versions, or pylock.toml",
                do="`uv export --no-emit-project | wheelyard wait -r -`",
            )
        if not is_pylock_name(path.name):
            texts.append(("standard input" if str(path) == "-" else str(path), read_text(path)))
            continue
        if not written:
            raise InputError(
                f"{path} names the addresses of another index's files, from which it would be installed",
                do="add `--write-lock lock.txt`, and install that; or `--dry-run`, to see what is missing",
            )
        locks.append(user_lock_of_pylock(read_text(path), str(path)))
    return joined_locks([*([read_user_lock(texts)] if texts else []), *locks])


def _seconds(text: str) -> int:
    from wheelyard.errors import InputError
    from wheelyard.limits import parse_seconds

    try:
        return parse_seconds(text)
    except ValueError as error:
        raise InputError(
            "--timeout has a value that it can't have", expected=str(error), found=text
        ) from error
