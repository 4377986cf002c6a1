"""Runs in a container of a finished image, as its first process: tries what is in it.

    python3 -I /in/smoke_image.py /in/order.json

It needs the image's Python alone, 3.9 or newer; there is no shell. Foreign code runs in children, whose
output and whose end are not mistaken for this process's own: a line that counts begins with the order's
nonce, and the last one, `done`, is written when everything was tried. The exit status says nothing of
failures.

The nonce is no secret: foreign code has the same UID, so that it can read the order and write such lines, or
tell its parent that it passed. The test finds mistakes, not malice.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any

LINES_KEPT = 30
LINE_LENGTH = 2000
GRACE_SECONDS = 0.5
SCRIPTS = ("console_scripts", "gui_scripts")
MEMORY_COUNTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
HERE = Path(__file__).parent

Task = dict[str, Any]


def main() -> None:
    """Try the programs and the scripts, then every task in as few processes as it takes."""
    sys.path.insert(0, str(HERE))
    order = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    say = Voice(order["nonce"])
    tasks, notes, failures = tasks_of(order)
    for failure in [*try_programs(order), *failures]:
        say.event(failure)
    tries = Tries(tasks, order, say)
    tries.run()
    say.event({"event": "done", "tried": len(tasks), "notes": notes, "memory_kills": memory_kills()})


class Voice:
    """Writes lines that count.

    :param nonce: that they begin with.
    """

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce

    def event(self, event: Task) -> None:
        """One line."""
        print(f"{self._nonce} {json.dumps(event)}", flush=True)


def failed(what: str, reason: str, **more: Any) -> Task:
    """The event of something that does not work."""
    return {"event": "failed", "what": what, "reason": reason, "lines": [], **more}


def try_programs(order: Task) -> list[Task]:
    """Whether the entry point and the programs of packages would start."""
    programs = importlib.import_module("smoke_programs")
    found = [
        (
            f"the entry point {order['entrypoint'][0]}",
            programs.entry_point_problem(order["entrypoint"], order["workdir"]),
        )
    ]
    found += [
        (f"the program {program}", programs.start_problem(Path(program))) for program in order["programs"]
    ]
    return [failed(what, problem) for what, problem in found if problem]


def tasks_of(order: Task) -> tuple[list[Task], list[str], list[Task]]:
    """The imports and checks; what is only worth a note; and what can be seen to fail without a try."""
    installed = {normal(one.metadata["Name"] or ""): one for one in importlib.metadata.distributions()}
    tasks: list[Task] = []
    notes: list[str] = []
    failures: list[Task] = []
    for wheel in order["wheels"]:
        name = wheel["project"]
        if name not in installed:
            failures.append(failed(f"finding {name}", "its metadata are not in the image", wheel=name))
            continue
        modules = wheel["imports"] or modules_of(installed[name], order)
        tasks += [
            {"kind": "import", "what": f"import {module}", "module": module, "wheel": name}
            for module in modules
        ]
        if wheel["smoke"]:
            what = f"the smoke test of {name}'s recipe"
            tasks.append({"kind": "code", "what": what, "code": wheel["smoke"], "wheel": name})
        for script, made, problem in scripts_of(installed[name]):
            if made:
                failures.append(failed(f"the script {script}", problem, wheel=name))
            else:
                notes.append(f"the script {script} of {name} can't start: {problem}")
    if order["module"]:
        what = f"finding the module {order['module']} of the entry point"
        tasks.append({"kind": "find", "what": what, "module": order["module"], "wheel": ""})
    if order["check"]:
        # In a process of its own, as the application will be.
        own = {"kind": "code", "what": "the image's own check", "code": order["check"], "wheel": ""}
        tasks.append({**own, "alone": True})
    return tasks, sorted(notes), failures


def normal(name: str) -> str:
    """A project's canonical name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def modules_of(distribution: importlib.metadata.Distribution, order: Task) -> list[str]:
    """Modules at the top of what was installed, as its RECORD says."""
    importable = re.compile(order["importable"])
    found = {match[1] for path in distribution.files or () if (match := importable.match(str(path)))}
    return sorted(found - set(order["not_imported"]))


def scripts_of(distribution: importlib.metadata.Distribution) -> list[tuple[str, bool, str]]:
    """Scripts that can't start: the name, whether an entry point made it, and why."""
    programs = importlib.import_module("smoke_programs")
    made = {point.name for point in distribution.entry_points if point.group in SCRIPTS}
    found = []
    for path in distribution.files or ():
        if path.parent.name == "bin" and ".." in path.parts:
            problem = programs.start_problem(Path(str(distribution.locate_file(path))).resolve())
            if problem:
                found.append((path.name, path.name in made, problem))
    return found


def memory_kills() -> int:
    """How often the kernel killed something here for lack of memory, as far as a container may know."""
    for place in MEMORY_COUNTS:
        with contextlib.suppress(OSError, ValueError):
            for line in Path(place).read_text().splitlines():
                name, _, number = line.partition(" ")
                if name == "oom_kill":
                    return int(number)
    return 0


class Tries:
    """Takes the tasks in one child after the other.

    Most images need one child for all imports. What fails behind others there is tried once more alone: it
    may have been the fault of an earlier one.
    """

    def __init__(self, tasks: list[Task], order: Task, say: Voice) -> None:
        self._tasks = tasks
        self._order = order
        self._say = say
        self._failures = 0

    def run(self) -> None:
        """All of them, until too many have failed."""
        together = [task for task in self._tasks if not task.get("alone")]
        alone = [task for task in self._tasks if task.get("alone")]
        while together and self._failures < self._order["most_failures"]:
            child = self._child(together)
            together = together[len(child.passed) :]
            if not together:
                break
            first, *together = together
            if child.passed and not child.slow:
                child = self._child([first])
            if first not in child.passed:
                self._fail(first, child)
        for task in alone:
            child = self._child([task])
            if task not in child.passed:
                self._fail(task, child)

    def _child(self, tasks: list[Task]) -> Child:
        child = Child(tasks, self._order, self._say)
        child.run()
        return child

    def _fail(self, task: Task, child: Child) -> None:
        self._failures += 1
        event = failed(task["what"], child.reason, wheel=task["wheel"], module=task.get("module", ""))
        self._say.event({**event, "lines": child.lines, "slow": child.slow, "killed": child.killed})


class Child:
    """One process that takes some of the tasks in their order, as far as they pass."""

    def __init__(self, tasks: list[Task], order: Task, say: Voice) -> None:
        self.passed: list[Task] = []
        self.slow = False
        self._tasks = tasks
        self._seconds = float(order["seconds"])
        self._workdir = order["workdir"]
        self._say = say
        self._said: deque[bytes] = deque(maxlen=LINES_KEPT)
        self._why = ""
        self._code = 0

    def run(self) -> None:
        """Start it, hear it to its end, and leave nothing of it."""
        ours, theirs = os.pipe()
        with subprocess.Popen(
            [sys.executable, str(HERE / "smoke_tasks.py"), str(theirs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs,),
            cwd=self._workdir,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            assert process.stdout is not None  # noqa: S101
            listener = threading.Thread(target=self._listen, args=(process.stdout,), daemon=True)
            listener.start()
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(json.dumps(self._tasks).encode())
            self._hear(ours, process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                # How it ended by itself, where it does, says more than how it is ended.
                process.wait(0 if len(self.passed) == len(self._tasks) else GRACE_SECONDS)
            end_group(process.pid)
            self._code = process.wait()
            # What it left behind in another session may hold the pipe for ever.
            listener.join(GRACE_SECONDS)

    @property
    def killed(self) -> bool:
        """Whether it was killed by somebody else than this process."""
        return self._code == -signal.SIGKILL and not self.slow and not self._why

    @property
    def lines(self) -> list[str]:
        """The last lines that it wrote."""
        return [line.decode(errors="replace").rstrip("\r\n") for line in list(self._said)]

    @property
    def reason(self) -> str:
        """Why its current task did not pass."""
        if self.slow:
            return f"it did not end within {self._seconds:g} s"
        if self._why or self._code >= 0:
            return self._why or f"the process ended with status {self._code} in the middle of it"
        return f"the process was ended by the signal {signal_name(-self._code)}"

    def _hear(self, pipe: int, pid: int) -> None:
        with os.fdopen(pipe, encoding="utf-8", errors="replace") as events:
            for task in self._tasks:
                timer = threading.Timer(self._seconds, self._end, (pid,))
                timer.daemon = True
                timer.start()
                line = events.readline()
                timer.cancel()
                passed, why = read_event(line) if line else (False, "")
                if not passed:
                    self._why = why
                    return
                self.passed.append(task)
                self._said.clear()
                self._say.event({"event": "passed", "what": task["what"]})

    def _end(self, pid: int) -> None:
        self.slow = True
        end_group(pid)

    def _listen(self, stream: IO[bytes]) -> None:
        while line := stream.readline(LINE_LENGTH):
            self._said.append(line)


def read_event(line: str) -> tuple[bool, str]:
    """Whether a child says that a task passed, and why not; foreign code may have written to its pipe."""
    try:
        event = json.loads(line)
        return event["event"] == "passed", str(event["reason"])
    except (LookupError, RecursionError, TypeError, ValueError):
        return False, f"its process wrote to a pipe that is not its own: {line[:200]!r}"


def end_group(pid: int) -> None:
    """Kill a child and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def signal_name(number: int) -> str:
    """`SIGSEGV`, or its number."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return str(number)


if __name__ == "__main__":
    main()
