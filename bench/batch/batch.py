"""A team's batch: how many of the most downloaded projects with compiled wheels build from source.

`python -m bench.batch.batch [--only markupsafe pyyaml] [--round recipes] [--service]` asks for each project
of `projects.txt` by itself, with the priority of batches; a failure ends none of the others. It starts a
stack of its own in `.bench/batch`, which keeps what was built, or asks the service that the `wheelyard`
command would ask. Outcomes are kept one by one in `outcomes.json`, so that it goes on where it was ended, and
the page `docs/reference/batch.md` is written anew each time.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.batch.outcome import Outcome, reason_of
from bench.batch.outcomes import ROUNDS, Outcomes
from bench.batch.page import write_page
from bench.batch.projects import Project, read_projects
from examples.demo.failure import DemoFailed
from examples.demo.stack import Stack
from wheelyard.answers import JobAnswer
from wheelyard.cli.service_address import find_service
from wheelyard.client import Client
from wheelyard.errors import WheelyardError
from wheelyard.requirements import normalise_requirements
from wheelyard.settings import read_settings
from worker.diagnosis import first_error

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TOOLCHAIN = "debian12-cp311"
_PAUSE_SECONDS = 1.0
_INDEX = re.compile(r"\bthe index https?://[^\s;,]+")


def main() -> int:
    """Run what is left of a round, and write the outcomes and the page."""
    options = _options()
    # In the background it is ended so, and its stack has to end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    projects = read_projects(options.projects)
    outcomes = Outcomes.read(options.outcomes, options.toolchain)
    left = [one for one in projects if _is_asked(one, outcomes, options)]
    if options.only:
        left.sort(key=lambda one: options.only.index(one.name))
    try:
        with _service(options.service) as client:
            _make_toolchain(client, options.toolchain)
            for number, project in enumerate(left, 1):
                print(f"{number} of {len(left)}: {project.pin}", flush=True)
                outcome = build_alone(client, project, options.toolchain)
                print(
                    f"  {'built' if outcome.built else outcome.reason}, {outcome.seconds:.0f} s", flush=True
                )
                outcomes.keep(options.round, outcome)
                options.page.write_text(write_page(projects, outcomes), "utf-8")
    except (DemoFailed, WheelyardError) as error:
        print(error, getattr(error, "cause", ""), sep="\n", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("ended; the outcomes so far are kept, and the next run goes on from there", file=sys.stderr)
        return 130
    options.page.write_text(write_page(projects, outcomes), "utf-8")
    print(json.dumps(outcomes.to_document()))
    return 0


def _make_toolchain(client: Client, toolchain: str) -> None:
    """Let the toolchain be there first: no project's time is that of its making."""
    if client.toolchain(toolchain).get("image"):
        return
    print(f"{toolchain} is made first", flush=True)
    answer = _ended(client, client.build_toolchain(toolchain))
    if not answer.succeeded:
        raise answer.failure()


def _ended(client: Client, answer: JobAnswer) -> JobAnswer:
    while not answer.ended:
        time.sleep(_PAUSE_SECONDS)
        answer = client.job(answer.id)
    return answer


def build_alone(client: Client, project: Project, toolchain: str) -> Outcome:
    """Ask for one project and wait for its end."""
    request = {
        "requirements": list(normalise_requirements([project.pin])),
        "toolchain": toolchain,
        "channel": "default",
        "refresh": True,
        "priority": "batch",
    }
    began = time.monotonic()
    day = datetime.now(UTC).date().isoformat()
    try:
        answer = _ended(client, client.build(request))
    except WheelyardError as error:
        return _failed(client, project, error, time.monotonic() - began, day)
    seconds = round(time.monotonic() - began, 1)
    if not answer.succeeded:
        return _failed(client, project, answer.failure(), seconds, day)
    wheels = (answer.result or {})["wheels"]
    made = sum(not wheel["hit"] for wheel in wheels)
    own = next(wheel["filename"] for wheel in wheels if wheel["project"] == project.name)
    pure = own.endswith("-any.whl")
    return Outcome(requirement=project.pin, seconds=seconds, made=made, pure=pure, day=day)


def _failed(client: Client, project: Project, error: WheelyardError, seconds: float, day: str) -> Outcome:
    return Outcome(
        requirement=project.pin,
        reason=reason_of(error),
        failed=_culprit(client, error),
        missing=tuple(error.facts.get("packages", ())),
        error=_first_error(error)[:300],
        seconds=round(seconds, 1),
        day=day,
    )


def _first_error(error: WheelyardError) -> str:
    """The line nearest to the cause, else what failed."""
    lines = [line.strip() for line in error.found.splitlines() if line.strip()]
    text = str(error.facts.get("first_error") or first_error(lines) or error.failed)
    # Which index pip is configured with is this machine's own business.
    return _INDEX.sub("the index", text)


def _culprit(client: Client, error: WheelyardError) -> str:
    """Title of the wheel that failed; empty where the request itself did."""
    job = error.facts.get("failed_job")
    if not job:
        return ""
    try:
        return client.job(str(job)).title
    except WheelyardError:
        return ""


@contextmanager
def _service(given: bool) -> Iterator[Client]:
    """The service that the command would ask, or one of our own that keeps its data between runs."""
    if given:
        address = find_service(read_settings())
        with Client(address.url, address.token, name="batch") as client:
            yield client
        return
    stack = Stack(ROOT / ".bench" / "batch" / "data")
    try:
        stack.start()
        with stack.client() as client:
            yield client
    finally:
        stack.end()


def _is_asked(project: Project, outcomes: Outcomes, options: argparse.Namespace) -> bool:
    if options.only and project.name not in options.only:
        return False
    if not options.again and project.pin in outcomes.rounds[options.round]:
        return False
    first = outcomes.rounds["first"].get(project.pin)
    # What was built whole without a recipe of its own is not tried again with one.
    return options.round == "first" or options.again or (first is not None and not first.whole)


def _options() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--projects", type=Path, default=HERE / "projects.txt")
    parser.add_argument("--outcomes", type=Path, default=HERE / "outcomes.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "reference" / "batch.md")
    parser.add_argument("--toolchain", default=TOOLCHAIN)
    parser.add_argument("--round", choices=ROUNDS, default="first")
    parser.add_argument(
        "--only", nargs="+", default=[], help="names of projects, in the order in which they are asked for"
    )
    parser.add_argument("--again", action="store_true", help="also what has an outcome already")
    parser.add_argument("--service", action="store_true", help="ask the service that the command would ask")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
