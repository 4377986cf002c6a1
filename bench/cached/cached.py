"""How long a cached request takes: POST /v1/builds over one connection, the median and the slow end.

`python -m bench.cached.cached [--requests 500] [--project markupsafe]` asks the service that the `wheelyard`
command would ask. The project has to be in its cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from wheelyard.cli.service_address import find_service
from wheelyard.client import Client
from wheelyard.errors import WheelyardError
from wheelyard.requirements import normalise_requirements
from wheelyard.settings import read_settings

WARM_UP = 20
AIM_MS = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from request to answer."""

    requests: int
    p50: float
    p90: float
    p99: float
    worst: float

    def line(self) -> str:
        """One line for people."""
        aim = "within" if self.p50 < AIM_MS else "over"
        return (
            f"cached POST /v1/builds, {self.requests} requests: "
            f"p50 {self.p50:.1f} ms ({aim} the aim of {AIM_MS:.0f}), "
            f"p90 {self.p90:.1f}, p99 {self.p99:.1f}, worst {self.worst:.1f}"
        )


def measure(client: Client, project: str, toolchain: str, requests: int) -> Latency:
    """Ask for the same cached build again and again.

    :raises RuntimeError: it is not cached.
    """
    request = {
        "requirements": list(normalise_requirements([project])),
        "toolchain": toolchain,
        "channel": "default",
        "refresh": False,
    }
    for _ in range(WARM_UP):
        if not client.build(request).succeeded:
            raise RuntimeError(f"{project} is not cached: run `wheelyard build {project}` first")
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        client.build(request)
        times.append(1000 * (time.perf_counter() - began))
    cuts = statistics.quantiles(times, n=100)
    return Latency(requests, statistics.median(times), cuts[89], cuts[98], max(times))


def main() -> int:
    """Measure, print a line and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--project", default="markupsafe")
    options = parser.parse_args()
    settings = read_settings()
    try:
        address = find_service(settings)
        with Client(address.url, address.token) as client:
            latency = measure(client, options.project, settings.toolchain, options.requests)
    except (WheelyardError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 3
    print(latency.line())
    print(json.dumps(asdict(latency)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
