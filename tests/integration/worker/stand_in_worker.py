"""The real worker program with a handler of the tests' own in the place of compiles, and no engine."""

import sys
import time
from pathlib import Path

import worker.process
from wheelyard.jobs.states import Kind
from worker.__main__ import main
from worker.outcome import Done


class NoEngine:
    """An engine that has nothing."""

    name = "none"

    def jobs(self):
        return {}

    def containers(self):
        return []


def stay(work):
    """Stay until the test lets the job go, or the worker stops it."""
    folder = Path(work.services.settings.data_dir)
    (folder / f"started-{work.claim.id}").touch()
    while not (folder / "go").exists():
        work.check()
        time.sleep(0.05)
    return Done(result={"went": True})


worker.process.HANDLERS = {Kind.WHEEL: stay}
worker.process.detect_engine = lambda _settings: NoEngine()
sys.exit(main())
