"""A worker whose disk is full: a small tmpfs, for real."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.verdict import Table
from wheelyard.jobs.states import State

# Above what a worker wants to have free before it takes a job.
_SIZE = 80 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)], timeout=10, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], timeout=10, check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free; gives the file that takes them."""
    ballast = folder / "ballast"
    # Unbuffered: what does not fit is not tried again when the file is closed.
    with ballast.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(1 << 16)):
            pass
    assert shutil.disk_usage(folder).free < 1 << 16
    return ballast


def test_a_disk_that_is_full_in_the_middle_is_said_and_the_build_is_done_once_there_is_room(
    chaos_stack: ChaosStack, table: Table, small_disk: Path
):
    stack = chaos_stack
    stack.calm(workers=0)
    worker = stack.worker(WHEELYARD_DATA_DIR=str(small_disk))
    stack.workers.append(worker)
    worker.start()
    job = stack.submit_wheel(2.0)
    stack.until_compiles(job)
    ballast = fill(small_disk)
    stack.until(lambda: stack.ledger.get(job.id).attempts == 1, "it did not fail")
    assert any("disk is full" in move["reason"] for move in stack.ledger.transitions(job.id))
    # It is left alone until there is room: tries are not for that.
    stack.until(lambda: stack.ledger.silent(0) != [], "it does not wait for its turn")
    ballast.unlink()
    freed = time.monotonic()
    stack.until_ended([job.id])
    table.judge(stack, "the worker's disk is full for a while", [job.id], recovery=[time.monotonic() - freed])


def test_a_worker_whose_disk_is_full_leaves_the_work_to_the_others(
    chaos_stack: ChaosStack, table: Table, small_disk: Path, full: bool
):
    stack = chaos_stack
    stack.calm(workers=1)
    fill(small_disk)
    worker = stack.worker(WHEELYARD_DATA_DIR=str(small_disk))
    stack.workers.append(worker)
    worker.start()
    jobs = [stack.submit_wheel().id for _ in range(20 if full else 4)]
    began = time.monotonic()
    stack.until_ended(jobs, 600 if full else 120)
    assert {job.state for job in stack.ledger.get_many(jobs)} == {State.SUCCEEDED}
    table.judge(
        stack, "one worker's disk stays full (until all ended)", jobs, recovery=[time.monotonic() - began]
    )
