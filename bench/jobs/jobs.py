"""What jobs cost: accepting, answering from the cache, starting, building, and how it grows with the queue.

`python -m bench.jobs.jobs [--requests 2000] [--builds 100] [--queued 10000] [--only door growth builds]`
starts servers of its own in `.bench/` and measures on SQLite and on PostgreSQL. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.jobs.builds import TO_CONTAINER_AIM_MS, Overhead, measure_builds
from bench.jobs.door import ACCEPT_AIM_MS, HIT_AIM_MS, RATE, Door, measure_door
from bench.jobs.figures import Figures
from bench.jobs.growth import measure_growth
from bench.real_servers import front_door, real_servers
from tests.conftest import postgres_programs, running, running_postgres
from tests.e2e.made_toolchain import made_toolchain
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate
from wheelyard.settings import Settings
from wheelyard.stack.ports import free_ports
from worker.engine.detect import detect_engine

ROOT = Path(__file__).parents[2]
_LENGTHS = (0, 100, 1000, 10_000)
_AIMS = {"accept": ACCEPT_AIM_MS, "hit": HIT_AIM_MS}


def main() -> int:
    """Measure, print lines for people, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind at the front door")
    parser.add_argument("--builds", type=int, default=100, help="trivial builds in real containers")
    parser.add_argument("--queued", type=int, default=10_000, help="the longest queue")
    parser.add_argument("--only", nargs="+", choices=("door", "growth", "builds"), default=[])
    options = parser.parse_args()
    parts = options.only or ["door", "growth", "builds"]
    folder = ROOT / ".bench" / "jobs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found: dict[str, Any] = {}
    with ExitStack() as servers:
        databases = {"sqlite": f"sqlite:///{folder / 'jobs.db'}"}
        if postgres_programs() is not None:
            databases["postgresql"] = servers.enter_context(running_postgres()).make_database("bench")
        small = {"build_memory": 1 << 29, "build_disk": 1 << 28}
        settings = servers.enter_context(real_servers(folder)).model_copy(update=small)
        for name, url in databases.items():
            migrate(url)
            here = settings.model_copy(update={"database_url": url, "data_dir": folder / name})
            found[name] = _measure(name, here, parts, options)
    print(json.dumps(found))
    return 0


def _measure(name: str, settings: Settings, parts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    ledger = Ledger(Database(settings.database_url))
    found: dict[str, Any] = {}
    print(f"\n{name}")
    if "door" in parts:
        with _door(settings) as door:
            figures = measure_door(door, ledger, options.requests)
        for what, one in figures.items():
            paced = f", 32 clients, {RATE:.0f} requests a second" if what in _AIMS else ""
            print(one.line(f"  {what}{paced}", _AIMS.get(what, 0.0)))
        found["door"] = {what: asdict(one) for what, one in figures.items()}
    if "builds" in parts:
        engine = detect_engine(settings)
        made = made_toolchain(engine)  # type: ignore[arg-type]  # engines are hashed by identity
        overhead = measure_builds(settings, made, engine, options.builds)
        _say_builds(overhead)
        found["builds"] = asdict(overhead)
    if "growth" in parts:
        growth = measure_growth(ledger, [length for length in _LENGTHS if length <= options.queued])
        _say_growth(growth)
        found["growth"] = {
            length: {what: asdict(one) for what, one in calls.items()} for length, calls in growth.items()
        }
    ledger.database.close()
    return found


def _say_builds(found: Overhead) -> None:
    print(found.to_container.line("  from claim to the engine's turn", TO_CONTAINER_AIM_MS))
    print(found.start.line("  the engine's start of a container"))
    print(found.engine.line("  a trivial build, in the engine"))
    print(found.ours.line("  a trivial build, ours"))
    print(f"  a build's whole time over the engine's: {found.ratio:.3f}, of {found.builds} builds")


def _say_growth(found: dict[int, dict[str, Figures]]) -> None:
    first = next(iter(found.values()))
    for length, calls in found.items():
        for what, one in calls.items():
            times = one.p50 / first[what].p50 if first[what].p50 else 0.0
            print(one.line(f"  {what}, {length} queued ({times:.1f} times that of an empty queue)"))


@contextmanager
def _door(settings: Settings) -> Iterator[Door]:
    """The front door as a process of its own, as in any stack."""
    (port,) = free_ports(1)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    program = front_door("api", settings, port)
    with running(program, port, settings.data_dir):
        url = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(f"{url}/readyz", timeout=30).close()  # noqa: S310 - our own address
        yield Door(url=url, token=settings.token.get_secret_value())


if __name__ == "__main__":
    sys.exit(main())
