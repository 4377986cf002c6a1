"""An `up` under test: started as its users do, in a process of its own, and ended whatever the test does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelyard.settings import Settings
from wheelyard.stack import RunningStack, stop_stack, wait_ready
from wheelyard.stack.ports import free_ports

STAND_INS = Path(__file__).with_name("stand_in_up.py")


class Up:
    """One `wheelyard up`."""

    def __init__(self, data_dir: Path, program: list[str], **variables: str) -> None:
        self.settings = Settings(data_dir=data_dir, port=free_ports(1)[0])
        self._program = program
        self._variables = variables
        self._output = data_dir.with_name(f"{data_dir.name}-{time.monotonic_ns()}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, **variables: str) -> Up:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WHEELYARD_")}
        environment |= {
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "WHEELYARD_DATA_DIR": str(self.settings.data_dir),
            "WHEELYARD_PORT": str(self.settings.port),
            "WHEELYARD_MIN_FREE_DISK": "1",
            **self._variables,
            **variables,
        }
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self._program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def output(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def ready(self, seconds: float = 90) -> RunningStack:
        try:
            return wait_ready(self.settings, seconds, self.pid)
        except Exception:
            print(self.output())
            raise

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self, seconds: float = 90) -> int:
        """Its exit code."""
        assert self.process is not None
        return self.process.wait(timeout=seconds)

    def room_pid(self, name: str) -> int:
        """The process of the stand-in that was started last."""
        lines = (self.settings.data_dir / "log" / f"{name}.log").read_text().splitlines()
        return int([line for line in lines if " lives as " in line][-1].rpartition(" ")[2])

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()
        stop_stack(self.settings)


@pytest.fixture
def ups(tmp_path) -> Iterator[Callable[..., Up]]:
    """Makes an `Up` on a data folder of this test."""
    made: list[Up] = []

    def make(name: str = "data", program: list[str] | None = None, **variables: str) -> Up:
        made.append(Up(tmp_path / name, program or [str(STAND_INS)], **variables))
        return made[-1]

    yield make
    for up in made:
        up.close()
