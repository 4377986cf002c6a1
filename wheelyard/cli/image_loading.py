"""Loading an image into this machine's container engine: it pulls what it lacks, or is given an archive."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import IO

from wheelyard.errors import EngineFailed, InfrastructureError, InputError
from wheelyard.loopback_registry import LoopbackRegistry
from wheelyard.oci import BlobOpener, Image, write_docker_archive
from wheelyard.process import run_command

_PROBE_SECONDS = 20.0
_END_SECONDS = 900.0


class LoadEngine(StrEnum):
    """Which engine an image is loaded into."""

    AUTO = "auto"
    PODMAN = "podman"
    DOCKER = "docker"


def find_engine(wanted: LoadEngine) -> str:
    """The command that loads: the one that is asked for, else podman, else docker where its daemon answers.

    :raises InputError: the machine has none that could.
    :raises EngineFailed: docker's daemon does not answer.
    """
    if wanted is not LoadEngine.AUTO:
        if shutil.which(wanted.value) is None:
            raise InputError(
                f"{wanted} is not installed", do=f"install {wanted}, or write a file with --output FILE"
            )
        if wanted is LoadEngine.DOCKER:
            _check_docker()
        return wanted.value
    if shutil.which("podman") is not None:
        return "podman"
    if shutil.which("docker") is not None:
        _check_docker()
        return "docker"
    raise InputError(
        "there is no container engine to load into",
        expected="podman or docker",
        do="install one, or write a file with --output FILE",
    )


def _check_docker() -> None:
    if problem := _docker_problem():
        raise EngineFailed(
            "docker is installed, but its daemon does not answer",
            found=problem,
            do="start it, or write a file with --output FILE",
        )


def _docker_problem() -> str:
    argv = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        asked = subprocess.run(argv, capture_output=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if asked.returncode == 0 else asked.stderr.decode(errors="replace").strip()[-300:]


def load_image(engine: str, image: Image, open_blob: BlobOpener, tags: Sequence[str]) -> None:
    """Load an image into an engine under some names; layers that it has are not sent.

    An engine that can't pull from this process (one in a virtual machine, or on another host) is given an
    archive with all layers.

    :param engine: its command, from `find_engine`.
    :param tags: `NAME:TAG` each.
    :raises EngineFailed: the engine refuses the image.
    :raises StoreUnavailable: bytes that are not the ones that the image names; nothing is loaded.
    """
    # docker drops an image with its last name; an archive brings one that never had any.
    if not (tags or engine == "podman") or not _pull(engine, image, open_blob, tags):
        load_archive(engine, lambda stream: write_docker_archive(stream, image, open_blob, tags))


def _pull(engine: str, image: Image, open_blob: BlobOpener, tags: Sequence[str]) -> bool:
    """Let the engine pull from a registry in this process; whether that went well."""
    registry = LoopbackRegistry(image, open_blob)
    # docker takes loopback for safe by itself.
    options = ["--tls-verify=false"] if engine == "podman" else []
    try:
        with registry.serving():
            run_command([engine, "pull", "--quiet", *options, registry.reference], timeout=_END_SECONDS)
    except InfrastructureError:
        if registry.failure is not None:
            raise registry.failure from None
        return False
    for tag in tags:
        run_command([engine, "tag", registry.reference, tag], timeout=_PROBE_SECONDS, failure=EngineFailed)
    remove = ["untag", image.id.hex] if engine == "podman" else ["rmi"]
    # The name of a registry that is gone; where it stays, the image is as good.
    with suppress(InfrastructureError):
        run_command([engine, *remove, registry.reference], timeout=_PROBE_SECONDS)
    return True


def load_archive(engine: str, write: Callable[[IO[bytes]], None]) -> str:
    """Pipe a docker archive into `ENGINE load`; returns what it said.

    :param write: writes the archive to the stream that it is given.
    :raises EngineFailed: the engine ended early, badly, or not at all.
    """
    argv = [engine, "load"]
    # Its own session: a Ctrl-C reaches this process only, which then ends the engine's command.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        ) as loading,
    ):
        try:
            stdin = loading.stdin
            if stdin is not None:
                try:
                    write(stdin)
                    stdin.close()
                except BrokenPipeError:
                    # The engine stopped reading: its own words say why.
                    loading.wait(timeout=_PROBE_SECONDS)
            code = loading.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired as error:
            loading.kill()
            raise EngineFailed(f"`{engine} load` did not end", do="see whether the engine hangs") from error
        except BaseException:
            loading.kill()
            raise
        said.seek(0)
        output = said.read().decode(errors="replace").strip()
    if code != 0:
        raise EngineFailed(
            f"`{engine} load` failed with status {code}",
            found=output[-500:],
            do="see that the engine has room, or write a file with --output FILE",
        )
    return output
