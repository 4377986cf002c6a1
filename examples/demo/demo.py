"""`make demo`: projects from source to wheels, from wheels to a slim image, and a report of all that.

It does what a user would: it runs the `wheelyard` command, pip, uv and the container engine, and asks the
service through the public client.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.text import Text

from examples.demo.commands import keep, show
from examples.demo.container import Engine, look_for_tools, run_here
from examples.demo.environments import folder_size, install_with_pip, install_with_uv
from examples.demo.failure import DemoFailed
from examples.demo.page import write_page
from examples.demo.phases import Phase, Phases
from examples.demo.report import Report, megabytes, print_report
from examples.demo.stack import WHEELYARD, Stack
from wheelyard.client import Client
from wheelyard.errors import WheelyardError
from wheelyard.requirements import normalise_requirements
from wheelyard.settings import read_settings

HERE = Path(__file__).parent
TOOLCHAIN = "debian12-cp311"
TAG = "wheelyard-demo:latest"
CANCELLED = 4
NUMPY_TESTS_SECONDS = 3600


def main() -> int:
    """Run the demo; its exit status is 0 only if every check held."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 118)
    try:
        report = run(options, console)
    except KeyboardInterrupt:
        console.print("\ninterrupted; everything that the demo started was ended", style="yellow")
        return CANCELLED
    except DemoFailed as error:
        console.print(Text.assemble(("\nfailed: ", "bold red"), error.words))
        if error.cause:
            console.print(Text(error.cause, style="dim"))
        return error.status
    except WheelyardError as error:
        console.print(Text.assemble(("\nfailed: ", "bold red"), str(error)))
        return error.exit_code
    print_report(report, console)
    folder = options.folder
    report.save(folder / "report.json")
    write_page(report, folder / "report.html")
    console.print(Text(f"\nsaved as {folder / 'report.json'} and {folder / 'report.html'}", style="bold"))
    return 0 if report.held else 1


def run(options: argparse.Namespace, console: Console) -> Report:
    """All phases in their order."""
    projects, folder = list(options.projects), options.folder
    folder.mkdir(parents=True, exist_ok=True)
    video = {"numpy", "opencv-python-headless"} <= {_name(project) for project in projects}
    application = HERE / ("app" if video else "imports")
    phases = Phases(console=console, count=8 if options.numpy_tests else 7)
    if options.began:
        phases.add(Phase(name="set-up", title="set-up", seconds=time.time() - options.began))
        phases.count += 1
    engine = Engine.find()
    stack = Stack(options.data)
    with ExitStack() as ending:
        ending.callback(stack.end)
        with phases.phase("stack", "stack: API, worker, Redis and S3 on loopback") as phase:
            stack.start()
            phase.note = stack.url
        client = ending.enter_context(stack.client())
        with phases.phase("toolchain", f"toolchain: {TOOLCHAIN} from Debian packages") as phase:
            made = client.toolchain(TOOLCHAIN)["image"]
            if not made:
                show([WHEELYARD, "toolchain", "build", TOOLCHAIN], stack.environment)
            toolchain = _toolchain(client)
            size = megabytes(toolchain["unpacked"])
            phase.note = f"{size}, compilers and all{', made before' if made else ''}"
        with phases.phase("build", f"build: {', '.join(projects)} from source, without network") as phase:
            show([WHEELYARD, "build", *projects, "--toolchain", TOOLCHAIN], stack.environment)
            wheels = _wheels(client, projects)
            size = megabytes(sum(wheel["size"] for wheel in wheels))
            phase.note = f"{size} in {len(wheels)} wheel{'s' if len(wheels) > 1 else ''}"
        installs = _install(phases, f"{stack.url}/simple/", projects, folder, application / "main.py")
        extra: dict[str, str] = {}
        if options.numpy_tests:
            with phases.phase("numpy-tests", "numpy.test() on the wheel that pip installed") as phase:
                phase.note = extra["numpy.test()"] = _test_numpy(folder / "venv-pip" / "bin" / "python")
        with phases.phase("image", "image: wheels on a runtime base, no build tool") as phase:
            show(
                [
                    *(WHEELYARD, "image", *projects, "--toolchain", TOOLCHAIN, "--load", "--tag", TAG),
                    *("--app", str(application), "--entrypoint", "python3 /app/main.py"),
                ],
                stack.environment,
            )
            image_id = engine.image_id(TAG)
            image = _image(client, image_id)
            phase.note = f"{megabytes(image['size'])} compressed, {megabytes(image['unpacked'])} unpacked"
        with phases.phase("run", "run: no network, read-only, not root") as phase:
            printed = engine.run(image_id)
            tools = look_for_tools(engine.programs(image_id))
            held = [check["held"] for check in printed["checks"]]
            phase.note = f"{sum(held)} of {len(held)} checks hold"
    return Report(
        projects=projects,
        phases=phases.ended,
        wheels=wheels,
        image=image,
        toolchain=toolchain,
        tools=tools,
        application=printed,
        installs=installs,
        extra=extra,
    )


def _install(
    phases: Phases, index: str, projects: list[str], folder: Path, application: Path
) -> dict[str, int]:
    """Install with pip and with uv and try what is there; returns the size of each environment in bytes."""
    sizes = {}
    for name, install in (("pip", install_with_pip), ("uv", install_with_uv)):
        with phases.phase(name, f"install: {name}, from the cache's index alone") as phase:
            python = install(folder / f"venv-{name}", index, projects)
            printed = run_here(python, application)
            _refuse_broken(printed, f"the application in {name}'s environment")
            sizes[name] = folder_size(folder / f"venv-{name}")
            phase.note = ", ".join(f"{what} {version}" for what, version in printed["versions"].items())
    return sizes


def _wheels(client: Client, projects: list[str]) -> list[dict[str, Any]]:
    """The wheels of the build that just ended: the same request again is answered from what succeeded."""
    requirements = list(normalise_requirements(projects))
    request = {"requirements": requirements, "toolchain": TOOLCHAIN, "channel": "default", "refresh": False}
    answer = client.build(request)
    if not answer.succeeded or answer.result is None:
        raise DemoFailed(
            "the service does not know the build that it just made", f"job {answer.id}: {answer.state}"
        )
    return list(answer.result["wheels"])


def _toolchain(client: Client) -> dict[str, Any]:
    document = client.toolchain(TOOLCHAIN)
    layers = (document.get("record") or {}).get("layers", [])
    return {
        "name": TOOLCHAIN,
        "image": document["image"],
        "size": sum(layer["size"] for layer in layers),
        "unpacked": sum(layer["unpacked"] for layer in layers),
    }


def _image(client: Client, image_id: str) -> dict[str, Any]:
    """What the service says of the image that the engine has."""
    for job in client.jobs(limit=200):
        image = (job.result or {}).get("image") if job.kind == "image" else None
        if image and image["image_id"].removeprefix("sha256:") == image_id:
            return dict(image)
    raise DemoFailed("the image in the engine is none that the service made", f"image id: {image_id}")


def _refuse_broken(printed: dict[str, Any], where: str) -> None:
    broken = [check for check in printed["checks"] if not check["held"]]
    if broken or not printed["checks"]:
        raise DemoFailed(f"{where} found that its wheels do not work", json.dumps(broken, indent=2))


def _test_numpy(python: Path) -> str:
    """Run numpy's own test suite on the installed wheel; returns its closing line.

    What the suite itself needs comes from pip's own index, not from the cache. Where this machine has no C
    compiler, the tests that compile are left out: f2py's skip themselves, those of memory policies fail.
    """
    needed = ["install", "--quiet", "pytest", "hypothesis", "meson", "ninja", "setuptools<60"]
    keep([sys.executable, "-m", "pip", "--python", str(python), *needed], seconds=600)
    chosen = [] if shutil.which("cc") else ["-k", "not test_mem_policy"]
    # Away from this checkout, whose own configuration pytest would take for numpy's.
    test = f"numpy.test(verbose=1, extra_argv={chosen!r})"
    program = f"import os, sys; os.chdir('/'); import numpy; sys.exit(not {test})"
    done = keep(
        [str(python), "-c", program],
        seconds=NUMPY_TESTS_SECONDS,
        environment={**os.environ, "PATH": f"{python.parent}:{os.environ.get('PATH', os.defpath)}"},
        refuse=False,
    )
    lines = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
    last = next((line for line in reversed(lines) if " passed" in line), "no closing line")
    if done.returncode:
        raise DemoFailed("numpy.test() failed on the wheel", "\n".join(lines[-40:]))
    return last.strip("= ")


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _options() -> argparse.Namespace:
    checkout = HERE.parent.parent
    parser = argparse.ArgumentParser(
        description="projects from source to wheels to a slim image, with a report"
    )
    parser.add_argument(
        "projects", nargs="*", default=["numpy", "opencv-python-headless"], help="requirements"
    )
    parser.add_argument("--folder", type=Path, default=checkout / ".demo", help="where the report goes")
    parser.add_argument("--numpy-tests", action="store_true", help="run numpy.test() on the wheel")
    parser.add_argument("--began", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder = options.folder.absolute()
    settings = read_settings()
    given = "data_dir" in settings.model_fields_set
    options.data = settings.data_dir.absolute() if given else options.folder / "data"
    return options


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
