"""The peers: pip and fromager in a container of the same toolchain, without network, beside the mirror."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.builds.figures import AGAIN, CHANGED, COLD, Figure
from bench.builds.mirror import Pin
from examples.demo.commands import keep
from examples.demo.container import Engine
from wheelyard.process import run_command

FROMAGER = {(3, 11): "fromager==0.77.0", (3, 12): "fromager==0.101.0", (3, 13): "fromager==0.101.0"}
"""The newest one that runs on each toolchain's Python: 0.78 left 3.11 behind."""
_PORT = 8080
_INDEX = f"http://127.0.0.1:{_PORT}/simple/"
_HOURS = 3 * 3600
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A running container of the toolchain, with the mirror on its own loopback.

    :param job: folder of the host that it sees as `/in/job`, read-only.
    """

    engine: Engine
    container: str
    job: Path

    def run(self, script: str) -> str:
        """Run a shell script in it; gives what it printed.

        :raises DemoFailed: it failed; its last words are in it.
        """
        argv = [*self.engine.command, "exec", self.container, "/bin/sh", "-euc", script]
        return keep(argv, seconds=_HOURS).stdout.decode(errors="replace")

    def figure(self, who: str, course: str, situation: str, script: str, wheels: str) -> Figure:
        """Time a script, and count the wheels that are new in a folder afterwards."""
        self.run("touch /build/stamp && sleep 0.1")
        began = time.monotonic()
        self.run(script)
        seconds = time.monotonic() - began
        made = int(self.run(f"find {wheels} -name '*.whl' -newer /build/stamp | wc -l"))
        return Figure(who=who, course=course, situation=situation, seconds=round(seconds, 2), made=made)


@contextmanager
def open_room(image: str, mirror: Path, job: Path, programs: Path) -> Iterator[Room]:
    """The container that the peers work in, as closed as ours; their files are in memory, as ours are.

    :param image: id of the toolchain's compile image.
    :param programs: folder of the wheels that fromager consists of.
    """
    engine = Engine.find()
    cores = os.cpu_count() or 1
    variables = {
        "HOME": "/build/home", "TMPDIR": "/build/tmp", "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "MAKEFLAGS": f"-j{cores}",
        "CMAKE_BUILD_PARALLEL_LEVEL": str(cores),
    }  # fmt: skip
    argv = [
        *(*engine.command, "run", "--detach", "--rm", "--network", "none", "--read-only"),
        *("--cap-drop", "all", "--user", "1000:1000", "--memory", "8g", "--pids-limit", "4096"),
        *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
        *engine.run_options,
        *_mount(mirror, "/in/mirror"), *_mount(job, "/in/job"), *_mount(programs, "/in/programs"),
        *("--tmpfs", "/build:mode=1777,exec,size=12g", "--tmpfs", "/tmp:mode=1777,exec,size=1g"),  # noqa: S108
        *("--entrypoint", "/bin/sleep", image, "infinity"),
    ]  # fmt: skip
    container = keep(argv, seconds=120).stdout.decode().split()[-1]
    try:
        room = Room(engine=engine, container=container, job=job)
        serve = ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/in/mirror"]
        keep([*engine.command, "exec", "--detach", container, *serve, str(_PORT)], seconds=60)
        room.run("mkdir /build/tmp /build/home; sleep 1")
        yield room
    finally:
        keep([*engine.command, "rm", "--force", "--time", "0", container], seconds=120, refuse=False)


def _mount(source: Path, target: str) -> tuple[str, str]:
    return "--mount", f"type=bind,source={source},target={target},readonly"


def fetch_fromager(python: tuple[int, int], folder: Path) -> Path:
    """The wheels of fromager and of all that it needs, for a toolchain's Python; fetched once.

    :param folder: kept between runs.
    """
    place = folder / f"fromager-{python[0]}.{python[1]}"
    done = place / "fetched"
    wanted = FROMAGER[python]
    if not done.exists() or done.read_text("utf-8") != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        run_command(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"),
                *("--python-version", f"{python[0]}.{python[1]}", "--dest", str(place)),
                *(word for platform in _PLATFORMS for word in ("--platform", platform)),
                wanted,
            ],
            timeout=900,
        )
        done.write_text(wanted, "utf-8")
    return place


def measure_pip(room: Room, projects: Sequence[Pin], courses: Iterable[str]) -> list[Figure]:
    """One `pip wheel`, its cache off, so that each run is a cold one and one stands for all situations."""
    found = []
    for course in courses:
        names = ":all:" if course == "source" else ",".join(pin.project for pin in projects)
        script = (
            "/opt/wheelyard/bin/python -m pip wheel --quiet --no-cache-dir --no-deps "
            f"--index-url {_INDEX} --no-binary {names} "
            f"--wheel-dir /build/pip-{course} -r /in/job/projects.txt"
        )
        found.append(room.figure("pip", course, COLD, script, f"/build/pip-{course}"))
    return found


def measure_fromager(room: Room, python: tuple[int, int], pins: Iterable[Pin]) -> list[Figure]:
    """`fromager bootstrap`, from source to the root as it always does, with its output kept between runs.

    :param pins: every project that it may ask the mirror for.
    """
    settings = room.job / "settings"
    settings.mkdir(exist_ok=True)
    for pin in pins:
        # It knows no index for all projects but the public one.
        text = f"resolver_dist:\n  sdist_server_url: {_INDEX}\n"
        (settings / f"{pin.project}.yaml").write_text(text, "utf-8")
    room.run(
        "/usr/bin/python3 -m venv --without-pip /build/fromager && "
        "/opt/wheelyard/bin/pip --python /build/fromager/bin/python install --quiet --no-index "
        f"--find-links /in/programs {FROMAGER[python]}"
    )

    def bootstrap(*options: str) -> str:
        return (
            "cd /build && PATH=/build/fromager/bin:$PATH "
            "fromager --no-network-isolation --sdists-repo /build/out/sdists-repo "
            "--wheels-repo /build/out/wheels-repo --work-dir /build/out/work-dir "
            f"--settings-dir /in/job/settings {' '.join(options)} bootstrap -r /in/job/projects.txt"
        )

    wheels = "/build/out/wheels-repo/downloads"
    changed = "--constraints-file /in/job/changed.txt"
    return [
        room.figure("fromager", "source", COLD, bootstrap(), wheels),
        room.figure("fromager", "source", AGAIN, bootstrap(), wheels),
        room.figure("fromager", "source", CHANGED, bootstrap(changed), wheels),
    ]
