"""The worker program: `python -m worker --queues plans|compile --concurrency N`."""

from __future__ import annotations

import argparse
import sys

from celery.signals import worker_shutting_down

from wheelyard.doorbell import TASK, celery_application
from wheelyard.errors import WheelyardError
from wheelyard.jobs.states import PLANS_QUEUE, Kind, queue_of
from wheelyard.settings import read_settings
from wheelyard.toolchains import list_toolchains
from worker.process import open_runner


def main() -> int:
    """Answer the doorbell until told to stop; then hand back what runs."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--queues", choices=("plans", "compile"), required=True, help="what this process works on"
    )
    parser.add_argument("--concurrency", type=int, default=1, help="jobs at the same time")
    arguments = parser.parse_args()
    try:
        settings = read_settings()
        runner = open_runner(settings)
        toolchains = list_toolchains(settings.toolchains_dir)
    except WheelyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    queues = [PLANS_QUEUE]
    if arguments.queues == "compile":
        queues = [queue_of(Kind.WHEEL, toolchain.name) for toolchain in toolchains]
    app = celery_application(settings.redis_url)
    app.task(runner.run, name=TASK, ignore_result=True)

    def drain(*_: object, **__: object) -> None:
        runner.drain()

    worker_shutting_down.connect(drain)
    app.worker_main(
        ["worker", "--pool", "threads", "--concurrency", str(arguments.concurrency),
         "--queues", ",".join(queues),
         "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
         "--hostname", f"{arguments.queues}@%h"]
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
