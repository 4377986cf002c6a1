"""A wheel's layer: pip installs it in a sandboxed container; only checked and normalised files come out."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from runtime_images.install_scheme import OWN_SCHEME, InstallScheme
from runtime_images.tar_layer import TarRules, normalise_tar
from wheelyard.errors import BuildFailed, InputError
from wheelyard.settings import Settings
from worker.engine.contract import Container, ContainerSpec, Engine
from worker.installed_record import check_installed_record

FILL_TIMEOUT = 1800.0
"""Seconds for one wheel; the largest ones there are take a tenth of it."""

_HEADROOM = 256 << 20
_LINES_KEPT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """In what wheels become layers, and how.

    :param image: id of the compile image whose CPython has the runtime base's version.
    :param job: id of the job that the container belongs to.
    :param owner: id of the worker.
    :param scheme: where the image's own Python lies and looks for packages.
    :param bytecode: whether compiled Python files are made, too.
    :param on_line: called with each line of pip's output.
    :param watch: gets the container, so that a cancelled job can end it.
    :param python: the CPython of the compile image.
    :param pip: the builder's own pip in that image.
    """

    engine: Engine
    image: str
    job: str
    owner: str
    settings: Settings
    scheme: InstallScheme = OWN_SCHEME
    bytecode: bool = True
    on_line: Callable[[str], None] = lambda _line: None
    watch: Callable[[Container], None] = lambda _container: None
    python: str = "/usr/bin/python3"
    pip: str = "/opt/wheelyard/bin/pip"


def fill_wheel_layer(wheel: Path, target: Path, filling: Filling) -> Path:
    """One wheel's layer; see `filler_of`, which spares a container for each where there are more."""
    with filler_of([wheel], filling) as fill:
        return fill(wheel, target)


@contextmanager
def filler_of(wheels: Sequence[Path], filling: Filling) -> Iterator[Callable[[Path, Path], Path]]:
    """A container of the toolchain that installs wheels one by one; what came of each is a layer's tar.

    The files land where the base's CPython finds them without any variable. The same wheel in the same image
    gives the same bytes, whatever was filled before it. No code of a wheel runs; the container is there so
    that nobody has to trust that.

    :param wheels: the files, under their own wheel file names; made readable for the container's user.
    :returns: a function of a wheel and of where its normalised, uncompressed tar goes, which an older file
        there makes room for; it gives that place back.
    :raises InputError: a file is no wheel, or needs more memory than one container may have.
    :raises BuildFailed: pip or the bytecode compiler failed; the message has pip's last lines.
    :raises ForeignOutputRefused: what came out is not what an installed wheel may be.
    """
    space = max(_space(wheel, filling.settings) for wheel in wheels)
    for wheel in wheels:
        wheel.chmod(wheel.stat().st_mode | 0o444)
    with as_file(files("worker") / "inside" / "fill_wheel_layer.py") as script:
        mounts = {wheel.absolute(): _inside(wheel) for wheel in wheels}
        spec = ContainerSpec(
            image=filling.image,
            job=filling.job,
            owner=filling.owner,
            mounts={**mounts, script.absolute(): "/in/fill_wheel_layer.py"},
            tmpfs={"/build": space, "/tmp": _HEADROOM // 2},  # noqa: S108  # in the container, not here
            memory=filling.settings.build_memory,
            pids=256,
        )
        with filling.engine.start(spec) as container:
            filling.watch(container)
            yield lambda wheel, target: _fill(container, filling, wheel, target, space)


def _inside(wheel: Path) -> str:
    # A folder for each: pip looks at all that lies beside a wheel.
    return f"/in/{wheel.name.removesuffix('.whl')}/{wheel.name}"


def _space(wheel: Path, settings: Settings) -> int:
    # Files move into the tar one by one; bytecode is smaller than its sources, and both together than twice.
    space = 2 * _unpacked_size(wheel) + _HEADROOM
    if space + _HEADROOM > settings.build_memory:
        raise InputError(
            f"the wheel {wheel.name} is too large to be put into a layer",
            expected=f"WHEELYARD_BUILD_MEMORY of {space + _HEADROOM} bytes",
            found=f"{settings.build_memory} bytes",
            do="give the worker more memory and raise WHEELYARD_BUILD_MEMORY",
        )
    return space


def _fill(container: Container, filling: Filling, wheel: Path, target: Path, space: int) -> Path:
    lines: deque[str] = deque(maxlen=_LINES_KEPT)

    def keep_line(line: str) -> None:
        lines.append(line)
        filling.on_line(line)

    scheme, options = filling.scheme, []
    if not filling.bytecode:
        options.append("--no-bytecode")
    if scheme.site or scheme.python != filling.python:
        options += ["--python", scheme.python, "--site", scheme.site]
    ended = container.run(
        [
            *(filling.python, "-I", "/in/fill_wheel_layer.py", *options, filling.pip, _inside(wheel)),
            *("/build/root", "/build/layer.tar"),
        ],
        on_line=keep_line,
        timeout=FILL_TIMEOUT,
        # pip and the bytecode compiler order by hash here and there.
        environment={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
    )
    if ended.code != 0:
        raise _failed(wheel, ended.code, list(lines), out_of_memory=ended.out_of_memory)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix="filled-", suffix=".tar") as raw:
        container.read_file("/build/layer.tar", raw, space)
        raw.flush()
        return _checked(wheel, Path(raw.name), target, scheme)


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


def _checked(wheel: Path, raw: Path, target: Path, scheme: InstallScheme) -> Path:
    """The files under their final names, only when they are what an installed wheel may be."""
    rules = TarRules(origin=f"the layer of {wheel.name}", within=(scheme.place,))
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
