"""A wheel's layer: pip installs it in a sandboxed container; only checked and normalised files come out."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from runtime_images.tar_layer import TarRules, normalise_tar
from wheelyard.errors import BuildFailed, InputError
from wheelyard.settings import Settings
from worker.engine.contract import Container, ContainerSpec, Engine
from worker.installed_record import check_installed_record

FILL_TIMEOUT = 1800.0
"""Seconds for one wheel; the largest ones there are take a tenth of it."""

_PLACE = "usr/local"
_HEADROOM = 256 << 20
_LINES_KEPT = 40


def fill_wheel_layer(
    wheel: Path,
    target: Path,
    *,
    engine: Engine,
    image: str,
    job: str,
    owner: str,
    settings: Settings,
    on_line: Callable[[str], None] | None = None,
    watch: Callable[[Container], None] = lambda _container: None,
    python: str = "/usr/bin/python3",
    pip: str = "/opt/wheelyard/bin/pip",
) -> Path:
    """Install one wheel in a container of the toolchain and keep what came of it as a layer's tar.

    The files land where the runtime base's CPython finds them without any variable. The same wheel in the
    same image gives the same bytes. No code of the wheel runs; the container is there so that nobody has to
    trust that.

    :param wheel: the file, under its own wheel file name; made readable for the container's user.
    :param target: where the normalised, uncompressed tar goes; an older file there is replaced.
    :param image: id of the compile image whose CPython is the runtime base's.
    :param job: id of the job that the container belongs to.
    :param owner: id of the worker.
    :param on_line: called with each line of pip's output.
    :param watch: gets the container, so that a cancelled job can end it.
    :param python: the CPython of the runtime base, as the compile image has it; the shebang of scripts.
    :param pip: the builder's own pip in that image.
    :returns: `target`.
    :raises InputError: the file is no wheel, or needs more memory than one container may have.
    :raises BuildFailed: pip or the bytecode compiler failed; the message has pip's last lines.
    :raises ForeignOutputRefused: what came out is not what an installed wheel may be.
    """
    unpacked = _unpacked_size(wheel)
    wheel.chmod(wheel.stat().st_mode | 0o444)
    # Files move into the tar one by one; bytecode is smaller than its sources, and both together than twice.
    space = 2 * unpacked + _HEADROOM
    if space + _HEADROOM > settings.build_memory:
        raise InputError(
            f"the wheel {wheel.name} is too large to be put into a layer",
            expected=f"WHEELYARD_BUILD_MEMORY of {space + _HEADROOM} bytes",
            found=f"{settings.build_memory} bytes",
            do="give the worker more memory and raise WHEELYARD_BUILD_MEMORY",
        )
    lines: deque[str] = deque(maxlen=_LINES_KEPT)

    def keep_line(line: str) -> None:
        lines.append(line)
        if on_line is not None:
            on_line(line)

    with as_file(files("worker") / "inside" / "fill_wheel_layer.py") as script:
        spec = ContainerSpec(
            image=image,
            job=job,
            owner=owner,
            mounts={wheel.absolute(): f"/in/{wheel.name}", script.absolute(): "/in/fill_wheel_layer.py"},
            tmpfs={"/build": space, "/tmp": _HEADROOM // 2},  # noqa: S108  # in the container, not here
            memory=settings.build_memory,
            pids=256,
        )
        command = [python, "-I", "/in/fill_wheel_layer.py", pip, f"/in/{wheel.name}"]
        with (
            engine.start(spec) as container,
            tempfile.NamedTemporaryFile(dir=target.parent, prefix="filled-", suffix=".tar") as raw,
        ):
            watch(container)
            ended = container.run(
                [*command, "/build/root", "/build/layer.tar"],
                on_line=keep_line,
                timeout=FILL_TIMEOUT,
                # pip and the bytecode compiler order by hash here and there.
                environment={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            )
            if ended.code != 0:
                raise _failed(wheel, ended.code, list(lines), out_of_memory=ended.out_of_memory)
            container.read_file("/build/layer.tar", raw, space)
            raw.flush()
            return _checked(wheel, Path(raw.name), target)


def _unpacked_size(wheel: Path) -> int:
    try:
        parse_wheel_filename(wheel.name)
        with zipfile.ZipFile(wheel) as pack:
            return sum(entry.file_size for entry in pack.infolist())
    except (InvalidWheelFilename, zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{wheel.name} can't be read as a wheel", found=str(error)[:300]) from error


def _failed(wheel: Path, code: int, lines: list[str], *, out_of_memory: bool) -> BuildFailed:
    return BuildFailed(
        f"the wheel {wheel.name} could not be installed into a layer",
        expected="an installation without network, build step or dependencies",
        found="the memory limit was reached" if out_of_memory else "\n".join(lines) or f"status {code}",
        do="raise WHEELYARD_BUILD_MEMORY" if out_of_memory else "read pip's lines above",
        wheel=wheel.name,
        status=code,
    )


def _checked(wheel: Path, raw: Path, target: Path) -> Path:
    """The files under their final names, only when they are what an installed wheel may be."""
    rules = TarRules(origin=f"the layer of {wheel.name}", within=(_PLACE,))
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as out:
            normalise_tar(raw, out, rules)
        with tarfile.open(part, mode="r:") as tar:
            check_installed_record(tar, wheel)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
