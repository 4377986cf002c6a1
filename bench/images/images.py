"""Images in one run: ours assembled, beside the engine's build of two stages with the same wheels at hand.

`python -m bench.images.images [--only speed bytes many] [--with numpy opencv-python-headless]` starts a stack
in `.bench/images`, which is kept: the toolchain and the wheels are made by the first run only, before any
clock starts. Then, in one run:

- `speed`: an image whose wheels and layers are cached; one whose layers are taken out of the store first; one
  in which a requirement is another one, whose wheel is cached and whose layer is not; and `podman build` of a
  Dockerfile of two stages with the same wheels in a folder, cold, and after the same change.
- `bytes`: of two images that differ in one wheel, what the second adds to the store, and what `skopeo copy`
  fetches of it from the service's registry into a layout that has the first.
- `many`: 100 images of 30 wheels each, in ten choices out of 40 wheels: time and bytes.

Our time runs from the request to the answer that the image is published; the smoke test is left out, as the
engine's build has none, and shown by itself. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.images.figures import Figure
from bench.images.many import IMAGES, measure_many
from bench.images.ours import ours
from bench.images.projects import PROJECTS
from bench.images.sent import measure_bytes
from bench.images.speed import measure_speed
from examples.demo.failure import DemoFailed
from wheelyard.errors import WheelyardError

ROOT = Path(__file__).parents[2]
PARTS = ("speed", "bytes", "many")


def main() -> int:
    """Measure, print lines for people, and one line of JSON."""
    options = _options()
    folder = options.folder.absolute()
    projects = [*PROJECTS, *options.more]
    figures: list[Figure] = []
    try:
        with ours(folder / "data", options.toolchain) as own:
            parts: dict[str, Callable[[], list[Figure]]] = {
                "speed": lambda: measure_speed(own, projects, folder, options.toolchain),
                "bytes": lambda: measure_bytes(own, projects, folder),
                "many": lambda: measure_many(own, folder, options.count),
            }
            for part in options.only:
                measured = parts[part]()
                figures += measured
                # What was measured is said before the next part may fail.
                print("\n", *(figure.line() for figure in measured), sep="\n", flush=True)
    except DemoFailed as error:
        print(error.words, error.cause, sep="\n", file=sys.stderr)
        return error.status
    except WheelyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print()
    for figure in figures:
        print(figure.line())
    print(json.dumps({"projects": projects, "figures": [asdict(one) for one in figures]}))
    return 0


def _options() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench" / "images", help="kept between runs")
    parser.add_argument("--toolchain", default="debian12-cp311")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--with", dest="more", nargs="+", default=[], metavar="PROJECT", help="large ones")
    parser.add_argument("--count", type=int, default=IMAGES, help="images of the part `many`")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
