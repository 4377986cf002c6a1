"""Ten compiled projects from source: fromager, pip and us, in one run, with the same compilers and files.

`python -m bench.builds.builds [--only ours pip fromager] [--courses wheels source] [--with numpy
opencv-python-headless]` fills a folder with the pinned files first and serves it on loopback, so that no
download is timed. pip and fromager run in a container of the toolchain's image, without network and with
their files in memory, as our compiles do; fromager is installed there from wheels, pinned. We run as anybody
would run us: `wheelyard up` on an empty store, its one worker with as many compiles at a time as it takes by
itself (`--slots 1`: one), and the time of the `wheelyard build` command.

Two courses: with the build requirements as wheels (pip builds the ten from source, `--no-binary` and their
names), and from source to the root (pip `--no-binary :all:`, fromager, us with `--build-deps source`). pip's
cache is off, so its one run is its time in every situation. When one build requirement changes, fromager
takes the wheels that it has, since its key is a name, a version and a counter; the wheels that were made say
so.

`--with` builds large projects by themselves, cold and with the compiler cache of that compile, from pip's own
index; their times are those of the wheel's phases, without downloads. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.builds.figures import AGAIN, CHANGED, COLD, PLANNED, WARM, Figure, Ratio, find
from bench.builds.mirror import Mirror, Pin, read_pins, served
from bench.builds.ours import ours
from bench.builds.peers import fetch_fromager, measure_fromager, measure_pip, open_room
from examples.demo.failure import DemoFailed
from wheelyard.toolchains import get_toolchain

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CHANGE = Pin(project="cython", version="3.3.0")
"""The build requirement that changes, to the version before the newest."""
_COLD_AIM = 1.05
_AGAIN_AIM = 1.0
_WARM_AIMS = {"numpy": 6.0, "opencv-python-headless": 10.0, "opencv-python": 10.0}


def main() -> int:
    """Measure, print lines for people, and one line of JSON."""
    options = _options()
    folder = ROOT / ".bench" / "builds"
    shutil.rmtree(folder / "stack", ignore_errors=True)
    try:
        with ours(_ready(folder), options.toolchain) as own:
            image = own.image()
        figures = _measure_set(options, folder, image) if options.only else []
        alone = _measure_alone(options, folder) if options.alone else {}
    except DemoFailed as error:
        print(error.words, error.cause, sep="\n", file=sys.stderr)
        return error.status
    print()
    for figure in figures:
        print(figure.line())
    ratios = [*_ratios(figures), *_speed_ups(alone)]
    for ratio in ratios:
        print(ratio.line())
    document = {
        "figures": [asdict(one) for one in figures],
        "alone": alone,
        "ratios": list(map(asdict, ratios)),
    }
    print(json.dumps(document))
    return 0


def _ready(folder: Path) -> Path:
    """Where the stack lies that has the toolchain and nothing else."""
    return folder / "stack" / "ready"


def _measure_set(options: argparse.Namespace, folder: Path, image: str) -> list[Figure]:
    python = _python_of(options.toolchain)
    projects = read_pins(options.projects)
    pins = [*projects, *read_pins(HERE / "build-requirements.txt"), CHANGE]
    mirror = Mirror(folder / "mirror", get_toolchain(options.toolchain, None))
    mirror.fill(pins)
    job = folder / "job"
    shutil.rmtree(job, ignore_errors=True)
    job.mkdir(parents=True)
    (job / "projects.txt").write_text("".join(f"{pin.project}=={pin.version}\n" for pin in projects), "utf-8")
    (job / "changed.txt").write_text(f"{CHANGE.project}=={CHANGE.version}\n", "utf-8")
    figures: list[Figure] = []
    with served(mirror.folder) as index:
        for course in options.courses if "ours" in options.only else ():
            place = folder / "stack" / course
            with ours(place, options.toolchain, index, ready=_ready(folder), slots=options.slots) as own:
                figures += own.measure(projects, course, job / "changed.txt")
    with open_room(image, mirror.folder, job, fetch_fromager(python, folder)) as room:
        if "pip" in options.only:
            figures += measure_pip(room, projects, options.courses)
        if "fromager" in options.only and "source" in options.courses:
            figures += measure_fromager(room, python, pins)
    return figures


def _measure_alone(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with ours(folder / "stack" / "alone", options.toolchain, ready=_ready(folder)) as own:
        return {project: own.measure_alone(project) for project in options.alone}


def _ratios(figures: list[Figure]) -> list[Ratio]:
    """Us beside each peer that goes the same course, and our time where nothing changed."""
    found = []
    for course in ("wheels", "source"):
        for situation in (COLD, AGAIN, PLANNED, CHANGED, WARM):
            own = find(figures, "wheelyard", course, situation)
            if own is None:
                continue
            for peer in ("pip", "fromager"):
                # pip keeps nothing: its cold run is what it would take in each situation.
                like = (
                    COLD
                    if peer == "pip" or situation == WARM
                    else AGAIN
                    if situation == PLANNED
                    else situation
                )
                other = find(figures, peer, course, like)
                if other is not None:
                    aim = _COLD_AIM if peer == "pip" and situation == COLD else 0.0
                    what = f"{course}, {situation}: us over {peer}"
                    found.append(Ratio(what=what, value=round(own.seconds / other.seconds, 4), aim=aim))
            if situation == AGAIN:
                found.append(Ratio(what=f"{course}, {situation}: seconds", value=own.seconds, aim=_AGAIN_AIM))
    return found


def _speed_ups(alone: dict[str, Any]) -> list[Ratio]:
    """Warm over cold, of the whole wheel: the aim is stated as times faster."""
    found = []
    for project, phases in alone.items():
        value = sum(phases[WARM].values()) / sum(phases[COLD].values())
        aim = round(1 / _WARM_AIMS[project], 4) if project in _WARM_AIMS else 0.0
        found.append(Ratio(what=f"{project}: warm compiler cache over cold", value=round(value, 4), aim=aim))
    return found


def _python_of(toolchain: str) -> tuple[int, int]:
    major, minor = get_toolchain(toolchain, None).python.version.split(".")[:2]
    return int(major), int(minor)


def _options() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--projects", type=Path, default=HERE / "projects.txt", help="pins of the set")
    parser.add_argument("--toolchain", default="debian12-cp311")
    parser.add_argument(
        "--only", nargs="*", choices=("ours", "pip", "fromager"), default=["ours", "pip", "fromager"]
    )
    parser.add_argument("--courses", nargs="+", choices=("wheels", "source"), default=["wheels", "source"])
    parser.add_argument(
        "--slots", type=int, default=0, help="compiles of ours at the same time; 0 leaves it to the worker"
    )
    parser.add_argument("--with", dest="alone", nargs="+", default=[], metavar="PROJECT", help="large ones")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
