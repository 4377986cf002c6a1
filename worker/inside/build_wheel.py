"""Runs in the build container, a phase a call: unpack, compile, repair, save-cache.

It needs the standard library and the tools venv only. Everything around it is foreign, so it decides nothing:
the control process checks the wheel that comes out.
`/in/job.json` says what to do; `/in` is read-only, `/build` is an empty tmpfs, and so is the top of the job's
`root`, below which lie sources, objects and the wheel: `/build` itself, but where a build is only compared.
"""

from __future__ import annotations

import calendar
import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

Job = dict[str, Any]

IN = Path("/in")
ENV = Path("/build/env")
OUT = Path("/build/out")
CACHE = Path("/build/ccache")
EPOCH = Path("/build/epoch")
TOOLS = Path("/opt/wheelyard/bin")


def fail(message: str) -> None:
    """End the phase with a message that the control process finds."""
    print(f"wheelyard: {message}", flush=True)
    sys.exit(3)


def source(job: Job) -> Path:
    """Where the sources are, and the project's backend works."""
    return Path(job["root"]) / "src"


def raw(job: Job) -> Path:
    """Where the backend leaves its wheel."""
    return Path(job["root"]) / "raw"


def prepare(job: Job) -> None:
    """The sources and the build environment."""
    unpack(job)
    environment(job)


def unpack(job: Job) -> None:
    """Lay the sdist's one top folder at `src`: a fixed path, or the compiler cache never hits."""
    archive = IN / "sdist" / job["sdist_filename"]
    staging = Path(job["root"]) / "unpacked"
    staging.mkdir(parents=True)
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as pack:
                times = [(one.filename, zip_time(one)) for one in pack.infolist()]
                pack.extractall(staging)  # noqa: S202 - the container is the wall
        else:
            with tarfile.open(archive) as pack:
                times = [(one.name, int(one.mtime)) for one in pack.getmembers()]
                # PEP 706: it refuses absolute and parent paths, devices, and links that leave.
                if hasattr(tarfile, "data_filter"):
                    pack.extractall(staging, filter="data")
                else:
                    pack.extractall(staging)  # noqa: S202 - the container is the wall
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        fail(f"the sdist {archive.name} can't be unpacked: {error}")
    tops = sorted(staging.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        fail(
            f"the sdist {archive.name} has not one top folder but {[top.name for top in tops][:5]} (PEP 625)"
        )
    tops[0].rename(source(job))
    patch_sources(job)
    EPOCH.write_text(str(source_date_epoch(times)))
    restored = importlib.import_module("ccache_folder").restore(run)
    print("compiler cache restored" if restored else "compiler cache: empty")


def patch_sources(job: Job) -> None:
    """Change the sources as the recipe's patches say."""
    patches = importlib.import_module("source_patches")
    try:
        patches.apply_patches(IN / "patches", source(job), job["title"])
    except patches.PatchRefused as error:
        fail(str(error))


def environment(job: Job) -> None:
    """Make the build environment of exactly the locked wheels."""
    run([job["python"], "-m", "venv", "--without-pip", str(ENV)])
    wheels = sorted(str(wheel) for wheel in (IN / "wheels").iterdir())
    for wheel in wheels:
        print(f"  {Path(wheel).name}")
    if wheels:
        run(
            [str(TOOLS / "pip"), "--python", str(ENV / "bin" / "python"), "install", "--quiet", "--no-index",
             "--no-deps", "--no-cache-dir", "--no-warn-script-location", *wheels]
        )  # fmt: skip


def compile_wheel(job: Job) -> None:
    """Let the project's own backend make the wheel (PEP 517); its environment is made already."""
    from build import BuildBackendException, BuildException, ProjectBuilder

    os.environ["PATH"] = f"{ENV}/bin:/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin"
    os.environ["VIRTUAL_ENV"] = str(ENV)
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH.read_text()
    raw(job).mkdir()
    if job["elsewhere"]:
        importlib.import_module("elsewhere").enter(job)

    def runner(
        cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        subprocess.run(cmd, cwd=cwd, env={**os.environ, **(extra_environ or {})}, check=True)

    try:
        builder = ProjectBuilder(
            str(source(job)), python_executable=str(ENV / "bin" / "python"), runner=runner
        )
        settings = config_settings(job)
        missing = builder.check_dependencies("wheel", settings)
        for chain in missing:
            print(f"build requirement not met: {' <- '.join(chain)}")
        builder.build("wheel", str(raw(job)), settings)
    except (BuildException, BuildBackendException, subprocess.CalledProcessError) as error:
        fail(f"the build backend failed: {error}")
    statistics = importlib.import_module("ccache_folder").statistics()
    if statistics:
        print(
            "compiler cache statistics: " + " ".join(f"{name}={value}" for name, value in statistics.items())
        )


def config_settings(job: Job) -> Job:
    """The recipe's config settings; meson-python is told here how many jobs it may run at a time.

    It runs ninja without `-j`, and ninja reads no variable. No byte of a wheel depends on it.
    """
    settings = dict(job["config_settings"])
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL")
    said = settings.get("compile-args", [])
    given = [said] if isinstance(said, str) else said
    if jobs and build_backend(source(job)) == "mesonpy" and not any("-j" in one for one in given):
        settings["compile-args"] = [*given, f"-j{jobs}"]
    return settings


def build_backend(sources: Path) -> str:
    """The backend that the project names (PEP 517); empty where it names none."""
    # Before Python 3.11 `build` brings tomli along.
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document = toml.loads((sources / "pyproject.toml").read_text("utf-8"))
        return str(document["build-system"]["build-backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def zip_time(member: zipfile.ZipInfo) -> int:
    """A member's time, or 0 where it has none: some archives say month 0."""
    try:
        return calendar.timegm(member.date_time)
    except ValueError:
        return 0


def source_date_epoch(times: Iterable[tuple[str, int]]) -> int:
    """Newest time in the sdist's top, not before 1980, where zip's time begins.

    As the archive says it: folders that it has no entry for, and what the build leaves there, are of today.
    """
    tops = [moment for name, moment in times if len(PurePosixPath(name).parts) == 2]
    return max([315_532_800, *tops])


def repair(job: Job) -> None:
    """Graft what the policy does not allow to be external (auditwheel), strip symbols, write the SBOM."""
    wheels = sorted(raw(job).glob("*.whl"))
    if len(wheels) != 1:
        fail(f"the build backend left {len(wheels)} wheels, expected one")
    wheel = wheels[0]
    OUT.mkdir()
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH.read_text()
    os.environ["PATH"] = f"{TOOLS}:/usr/bin:/bin"
    # What auditwheel packs is packed again at the end; older ones know the second name.
    os.environ.update(AUDITWHEEL_ZIP_LEVEL="0", AUDITWHEEL_ZIP_COMPRESSION_LEVEL="0")
    if wheel.name.endswith("-any.whl"):
        shutil.copy(wheel, OUT / wheel.name)
    elif holds_machine_code(wheel):
        run(
            [str(TOOLS / "auditwheel"), "repair", "--strip", "--plat", job["target"], "--only-plat",
             "--wheel-dir", str(OUT), str(wheel)]
        )  # fmt: skip
    else:
        print(
            f"WARNING: {wheel.name} is named for a platform and holds no machine code: an optional extension "
            "was perhaps not compiled, and the log of the compile says why"
        )
        retag(shutil.copy(wheel, OUT / wheel.name), "--platform-tag", job["target"])
    made = sorted(OUT.glob("*.whl"))
    if len(made) != 1:
        fail(f"auditwheel left {len(made)} wheels, expected one")
    if job["leave_out"]:
        thin(made[0], job["leave_out"])
    if job["build_number"]:
        retag(made[0], "--build", str(job["build_number"]))
    even_archive(min(OUT.glob("*.whl")), int(EPOCH.read_text()))
    grew = importlib.import_module("ccache_folder").grew()
    made_here = {"wheel": min(OUT.glob("*.whl")).name, "compiler_cache": grew}
    Path("/build/made.json").write_text(json.dumps(made_here))


def even_archive(wheel: Path, moment: int) -> None:
    """Pack a wheel again, so that its archive says of its members what its inputs decide, and no more.

    Members are sorted, the metadata last (PEP 427); their time is that of the sources, and their mode the
    usual one of a file or of a program, whatever umask, clock and order of a folder were at the build.

    :param moment: epoch seconds.
    """
    stamp = time.gmtime(moment - moment % 2)[:6]
    packed = wheel.with_suffix(".packed")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in sorted(old.infolist(), key=place_in_wheel):
            entry = zipfile.ZipInfo(member.filename, stamp)
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_STORED if member.is_dir() else zipfile.ZIP_DEFLATED
            program = bool(member.external_attr >> 16 & 0o111)
            mode = 0o040755 if member.is_dir() else 0o100755 if program else 0o100644
            entry.external_attr = mode << 16 | (0x10 if member.is_dir() else 0)
            entry.file_size = member.file_size
            with old.open(member) as content, new.open(entry, "w") as target:
                shutil.copyfileobj(content, target, 1 << 20)
    packed.replace(wheel)


def place_in_wheel(member: zipfile.ZipInfo) -> tuple[bool, bool, str]:
    """Sorts the members of a wheel: by name, its metadata behind the rest, RECORD last."""
    name = member.filename
    about = name.partition("/")[0].endswith(".dist-info")
    return about, about and name.endswith(".dist-info/RECORD"), name


def thin(wheel: Path, patterns: Sequence[str]) -> None:
    """Leave members out of a wheel, as the recipe says."""
    count, saved, idle = importlib.import_module("left_out").leave_out(wheel, patterns)
    print(f"left out of the wheel: {count} members, {saved} bytes of it")
    for pattern in idle:
        print(f"WARNING: the recipe leaves out {pattern!r}, and the wheel has no such member")


def holds_machine_code(wheel: Path) -> bool:
    """Whether some member is an ELF file; auditwheel refuses a wheel without one."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            with archive.open(member) as content:
                if content.read(4) == b"\x7fELF":
                    return True
    return False


def retag(wheel: Path | str, *change: str) -> None:
    """Name a wheel anew, inside and outside."""
    run([str(TOOLS / "python"), "-m", "wheel", "tags", "--remove", *change, str(wheel)])


def save_cache(_job: Job) -> None:
    """Pack the compiler cache for the next build of this project."""
    importlib.import_module("ccache_folder").pack(run)


def run(command: Sequence[str]) -> None:
    """Run one program; its failure is the phase's, in its own last words."""
    last = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as program:
        assert program.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in program.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    if program.returncode != 0:
        fail(
            f"{Path(command[0]).name} failed with status {program.returncode}" + (f": {last}" if last else "")
        )


PHASES = {
    "unpack": prepare,
    "compile": compile_wheel,
    "repair": repair,
    "save-cache": save_cache,
}

if __name__ == "__main__":
    # The engine's own one says nothing; only the compile of a build that is compared has another.
    os.umask(0o022)
    PHASES[sys.argv[1]](json.loads((IN / "job.json").read_text()))
