"""What the service costs over a compile by hand: both in one run, on the same sdist, in the same image.

`python -m bench.overhead.overhead [--project numpy]` starts a stack of its own in `.bench/`, nothing cached,
and times `wheelyard build`. Then it does by hand, in one container of the same image, what a person would:
unpack the sdist, make an environment of the same build wheels, compile, repair. Nothing of ours is in the
second time, and no compiler cache. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.cached.cached import measure
from examples.demo.commands import show
from examples.demo.container import Engine
from examples.demo.failure import DemoFailed
from examples.demo.stack import WHEELYARD, Stack
from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.requirements import normalise_requirements

ROOT = Path(__file__).parents[2]
TOOLCHAIN = "debian12-cp311"
AIM = 1.03
HAND = """
set -eu
mkdir /build/src /build/raw /build/out
tar -xf /in/sdist/* -C /build/src --strip-components 1
{python} -m venv --without-pip /build/env
/opt/wheelyard/bin/pip --python /build/env/bin/python install --quiet --no-index --no-deps /in/wheels/*
export PATH=/build/env/bin:/usr/bin:/bin VIRTUAL_ENV=/build/env SOURCE_DATE_EPOCH=1700000000 PYTHONHASHSEED=0
cd /build/src
/opt/wheelyard/bin/python - <<'PYTHON'
from build import ProjectBuilder
ProjectBuilder('/build/src', python_executable='/build/env/bin/python').build('wheel', '/build/raw')
PYTHON
PATH=/opt/wheelyard/bin:$PATH auditwheel repair --plat {target} --wheel-dir /build/out /build/raw/*.whl
"""


def main() -> int:
    """Measure both, print the ratio and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", default="numpy", help="requirement; its own dependencies count too")
    parser.add_argument("--requests", type=int, default=500, help="cached requests to time afterwards")
    options = parser.parse_args()
    folder = ROOT / ".bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    stack = Stack(folder / "data")
    try:
        stack.start()
        with stack.client() as client:
            result = compare(stack, client, options.project)
            latency = measure(client, options.project, TOOLCHAIN, options.requests)
    except DemoFailed as error:
        print(error.words, error.cause, sep="\n", file=sys.stderr)
        return error.status
    finally:
        stack.end()
    print(
        f"\n{options.project}: service {result['service_seconds']:.1f} s, "
        f"by hand {result['hand_seconds']:.1f} s, ratio {result['ratio']:.3f} (aim: at most {AIM})"
    )
    print(latency.line())
    print(json.dumps({**result, "cached": asdict(latency)}))
    return 0


def compare(stack: Stack, client: Client, project: str) -> dict[str, Any]:
    """Time the service, then the hand."""
    show([WHEELYARD, "toolchain", "build", TOOLCHAIN], stack.environment)
    began = time.monotonic()
    show([WHEELYARD, "build", project, "--toolchain", TOOLCHAIN], stack.environment)
    service = time.monotonic() - began
    request = {"requirements": list(normalise_requirements([project])), "toolchain": TOOLCHAIN}
    answer = client.build({**request, "channel": "default", "refresh": False})
    wheels = (answer.result or {})["wheels"]
    hand = sum(by_hand(client, wheel["build_key"]) for wheel in wheels)
    return {
        "project": project,
        "service_seconds": round(service, 2),
        "hand_seconds": round(hand, 2),
        "ratio": round(service / hand, 4),
        "phases": {wheel["filename"]: record_of(client, wheel["build_key"])["seconds"] for wheel in wheels},
    }


def record_of(client: Client, build_key: str) -> dict[str, Any]:
    """A wheel's record.

    :raises DemoFailed: the service has none.
    """
    record = client.record(build_key)
    if record is None:
        raise DemoFailed(f"the service has no record of {build_key}")
    return record


def by_hand(client: Client, build_key: str) -> float:
    """Seconds of the same compile in one container; its inputs are laid out before the clock starts."""
    inputs = record_of(client, build_key)["inputs"]
    engine = Engine.find()
    with tempfile.TemporaryDirectory(prefix="wheelyard-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for kind, files in (
            ("sdist", {inputs["sdist_filename"]: inputs["sdist"]}),
            ("wheels", inputs["build_wheels"]),
        ):
            (folder / kind).mkdir()
            for filename, digest in files.items():
                with (
                    client.blob(Digest.parse(digest)) as chunks,
                    (folder / kind / filename).open("wb") as target,
                ):
                    target.writelines(chunks)
        script = HAND.format(python="/usr/bin/python3", target=inputs["target"])
        argv = [
            *engine.command,
            *("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "all", "--user", "1000:1000"),
            *("--memory", "8g", "--pids-limit", "4096", "--env", "HOME=/tmp/home", *engine.run_options),
            *("--mount", f"type=bind,source={folder},target=/in,readonly"),
            *("--tmpfs", "/build:mode=1777,exec,size=12g", "--tmpfs", "/tmp:mode=1777,exec,size=1g"),  # noqa: S108
            *("--entrypoint", "/bin/sh", inputs["toolchain"].removeprefix("sha256:"), "-c", script),
        ]
        began = time.monotonic()
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=7200, check=False)
        seconds = time.monotonic() - began
    if done.returncode:
        raise DemoFailed(
            "the compile by hand failed", (done.stdout + done.stderr).decode(errors="replace")[-4000:]
        )
    return seconds


if __name__ == "__main__":
    sys.exit(main())
