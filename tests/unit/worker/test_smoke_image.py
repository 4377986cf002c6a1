"""The script that tries an image from the inside, run here on a folder of installed wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.smoke_order import SmokeOrder, WheelTrial

SCRIPT = Path(__file__).parents[3] / "worker" / "inside" / "smoke_image.py"
NONCE = "nonce-1"


class Site:
    """A folder of installed wheels, and the image around it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.wheels: list[WheelTrial] = []
        self.output = ""
        (folder / "site").mkdir()
        (folder / "bin").mkdir()
        (folder / "app").mkdir()

    def install(self, name: str, files: dict[str, str], *, scripts: dict[str, str] | None = None, **trial):
        """Lay a wheel's files, its metadata and its scripts."""
        site, scripts = self.folder / "site", scripts or {}
        info = f"{name}-1.0.dist-info"
        points = "".join(f"{script} = {name}:main\n" for script in scripts if not script.startswith("plain"))
        files = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/entry_points.txt": f"[console_scripts]\n{points}",
        }
        for path, text in files.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
        for script, text in scripts.items():
            (self.folder / "bin" / script).write_text(text)
            (self.folder / "bin" / script).chmod(0o755)
        paths = [*files, *(f"../bin/{script}" for script in scripts)]
        (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in paths))
        self.wheels.append(WheelTrial(project=name, **trial))

    def try_it(self, *, seconds: float = 20, **more) -> list[dict]:
        """The script's own lines."""
        fields = {"programs": (), "entrypoint": ("python3",), "module": "", "check": "", **more}
        order = SmokeOrder(
            wheels=tuple(self.wheels), workdir=str(self.folder / "app"), seconds=seconds, **fields
        )
        (self.folder / "order.json").write_text(json.dumps({**order.to_document(), "nonce": NONCE}))
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "site")}
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(self.folder / "order.json")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.output = done.stdout
        lines = done.stdout.splitlines()
        return [json.loads(line.removeprefix(NONCE)) for line in lines if line.startswith(NONCE)]


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


def passed(events: list[dict]) -> list[str]:
    return [event["what"] for event in events if event["event"] == "passed"]


def failures(events: list[dict]) -> list[dict]:
    assert events[-1]["event"] == "done"
    return [event for event in events if event["event"] == "failed"]


def test_imports_each_top_level_module_and_runs_the_recipes_smoke_test(site):
    site.install(
        "demo", {"demo/__init__.py": "x = 1", "other.py": "", "tests/__init__.py": "1 / 0", "_p.py": "1 / 0"}
    )
    site.install("more", {"more.py": ""}, smoke="import demo, more; assert demo.x == 1")
    events = site.try_it()
    assert passed(events) == ["import demo", "import other", "import more", "the smoke test of more's recipe"]
    assert (failures(events), events[-1]["tried"]) == ([], 4)


def test_a_recipe_says_which_modules_can_be_imported(site):
    site.install("demo", {"demo.py": "", "plugin.py": "import host_that_is_elsewhere"}, imports=("demo",))
    assert failures(site.try_it()) == []


def test_a_failed_import_names_module_wheel_and_last_lines(site):
    site.install("good", {"good.py": "print('not mine')"})
    site.install("bad", {"bad.py": "import sys\nprint('loading', file=sys.stderr)\nimport nothing_like_it"})
    (failure,) = failures(site.try_it())
    assert (failure["what"], failure["module"], failure["wheel"]) == ("import bad", "bad", "bad")
    assert failure["reason"] == "ModuleNotFoundError: No module named 'nothing_like_it'"
    assert failure["lines"][0] == "loading"
    assert failure["lines"][-1] == failure["reason"]
    assert [line.split('"')[1].rpartition("/")[2] for line in failure["lines"] if " File " in line] == [
        "bad.py"
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(0)", "status 0"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os, sys; os.closerange(0, 1000); import time; time.sleep(30)", "SIGKILL"),
    ],
)
def test_an_end_in_the_middle_of_an_import_is_no_pass(site, source, reason):
    site.install("bad", {"bad.py": source})
    site.install("good", {"good.py": ""})
    events = site.try_it()
    (failure,) = failures(events)
    assert failure["what"] == "import bad"
    assert reason in failure["reason"]
    assert passed(events) == ["import good"]


def test_what_a_wheel_prints_is_never_taken_for_the_scripts_own_words(site):
    forged = json.dumps({"event": "done", "tried": 0, "notes": [], "memory_kills": 0})
    site.install("bad", {"bad.py": f"import os\nprint('''\\n{NONCE} {forged}''', flush=True)\nos._exit(0)"})
    events = site.try_it()
    assert [event["event"] for event in events] == ["failed", "done"]
    assert events[-1]["tried"] == 1


@pytest.mark.parametrize("words", ["{", "[]", "{}", "[" * 100_000])
def test_what_a_wheel_writes_to_the_pipe_of_its_process_is_a_failure(site, words):
    pipes = "[fd for fd in range(3, 50) if os.path.exists(f'/proc/self/fd/{fd}')]"
    source = f"""
import os, stat
for fd in {pipes}:
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.write(fd, {words!r}.encode() + b'\\n')
os._exit(0)
"""
    site.install("bad", {"bad.py": source})
    (failure,) = failures(site.try_it())
    assert failure["what"] == "import bad"
    assert "a pipe that is not its own" in failure["reason"]


def test_an_import_that_hangs_and_prints_without_end_is_ended_in_its_time(site):
    site.install("bad", {"bad.py": "while True: print('and on' * 1000)"})
    site.install("good", {"good.py": ""})
    events = site.try_it(seconds=1)
    (failure,) = failures(events)
    assert failure["slow"]
    assert failure["reason"] == "it did not end within 1 s"
    assert len(failure["lines"]) <= 30
    assert passed(events) == ["import good"]
    assert len(site.output) < 100_000


def test_what_an_earlier_import_broke_is_tried_again_alone(site):
    site.install("aaa", {"aaa.py": "import sys; sys.modules['json'] = None"})
    site.install("bbb", {"bbb.py": "import json"})
    assert failures(site.try_it()) == []


def test_a_process_that_an_import_leaves_behind_stops_nothing(site):
    site.install("aaa", {"aaa.py": "import os, time\nif os.fork() == 0: time.sleep(300)"})
    site.install("bbb", {"bbb.py": "import os\nos.fork()"})
    assert passed(site.try_it()) == ["import aaa", "import bbb"]


def test_the_check_runs_in_a_process_of_its_own_beside_the_application(site):
    site.install("demo", {"demo.py": ""})
    (site.folder / "app" / "main.py").write_text("x = 3")
    check = "import sys\nassert 'demo' not in sys.modules\nimport main\nassert main.x == 3"
    assert passed(site.try_it(check=check)) == ["import demo", "the image's own check"]
    (failure,) = failures(site.try_it(check="assert 1 == 2, 'one is not two'"))
    assert failure["reason"] == "AssertionError: one is not two"


def test_many_failures_are_not_all_waited_for(site):
    for number in range(9):
        site.install(f"bad{number}", {f"bad{number}.py": "1 / 0"})
    assert len(failures(site.try_it())) == 5


def test_a_wheel_without_metadata_is_not_there(site):
    site.wheels.append(WheelTrial(project="lost"))
    (failure,) = failures(site.try_it())
    assert (failure["wheel"], failure["reason"]) == ("lost", "its metadata are not in the image")


def test_console_scripts_need_their_interpreter_and_other_scripts_are_a_note(site):
    scripts = {"demo": f"#!{sys.executable}\n", "gone": "#!/nowhere/python3\n", "plain.sh": "#!/nowhere/sh\n"}
    site.install("demo", {"demo.py": ""}, scripts=scripts)
    events = site.try_it()
    (failure,) = failures(events)
    assert (failure["what"], failure["wheel"]) == ("the script gone", "demo")
    assert "'/nowhere/python3' is not in the image" in failure["reason"]
    (note,) = events[-1]["notes"]
    assert "plain.sh" in note


def test_programs_must_be_there_and_find_their_libraries(site):
    whole = Path(sys.executable).resolve().read_bytes()
    broken = site.folder / "bin" / "broken"
    broken.write_bytes(whole.replace(b"libc.so.6\0", b"liby.so.6\0"))
    broken.chmod(0o755)
    programs = (str(Path(sys.executable).resolve()), str(broken), "/nowhere/ffmpeg")
    failed = failures(site.try_it(programs=programs))
    assert [failure["what"] for failure in failed] == [f"the program {broken}", "the program /nowhere/ffmpeg"]
    assert "liby.so.6" in failed[0]["reason"]
    assert failed[1]["reason"] == "/nowhere/ffmpeg is not there"


@pytest.mark.parametrize(
    ("entrypoint", "reason"),
    [
        (("no-such-program", "x"), "no folder of PATH has a program no-such-program"),
        (("./start.sh",), "may not be executed"),
        (("/etc",), "/etc is not there"),
    ],
)
def test_the_program_of_the_entry_point_must_start(site, entrypoint, reason):
    (site.folder / "app" / "start.sh").write_text("#!/bin/sh\n")
    (failure,) = failures(site.try_it(entrypoint=entrypoint))
    assert reason in failure["reason"]


def test_a_module_that_the_entry_point_runs_must_be_found(site):
    assert passed(site.try_it(module="http.server")) == ["finding the module http.server of the entry point"]
    (failure,) = failures(site.try_it(module="http.servant"))
    assert "http.servant" in failure["reason"]
