"""Doctor: proves on this machine what a worker needs, and says what to do where it can't be had."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wheelyard.errors import InfrastructureError, WheelyardError
from wheelyard.process import run_command
from wheelyard.settings import Settings, read_settings
from wheelyard.store.open import open_store
from wheelyard.toolchains import get_toolchain
from worker.debian.mirror import find_mirror
from worker.engine.contract import Engine
from worker.engine.detect import detect_engine
from worker.proof_image import load_proof_image
from worker.sandbox_proof import prove

GIB = 1 << 30
FREE_DISK = 6 * GIB
ASK_TIMEOUT = 60.0
APT_HELPER = "/usr/lib/apt/apt-helper"
PROBED_PROJECT = "pip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the doctor found about one thing.

    :param name: the thing, for people: `engine`, `sandbox: holds no capability`.
    :param ok: whether it is as it should be.
    :param found: what is there.
    :param do: what to do; empty where it is as it should be.
    """

    name: str
    ok: bool
    found: str = ""
    do: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a worker on this machine needs; takes some seconds, leaves nothing behind."""
    return list(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    try:
        engine = detect_engine(settings)
    except WheelyardError as error:
        yield _failure("engine", error)
    else:
        yield Finding(name="engine", ok=True, found=engine.version())
        yield from _sandbox(engine)
    yield _try("mmdebstrap", _mmdebstrap)
    yield _try("disk", lambda: _disk(settings.data_dir))
    yield _try("apt mirror", lambda: _mirror(settings))
    yield _try("package index", lambda: _index(settings))
    if settings.store_url:
        yield from _store(settings)


def _sandbox(engine: Engine) -> Iterator[Finding]:
    try:
        image = load_proof_image(engine)
        for tried, against in prove(engine, image):
            yield Finding(
                name=f"sandbox: a container {tried.name}",
                ok=not against,
                found=against,
                do=tried.do if against else "",
            )
    except WheelyardError as error:
        yield _failure("sandbox", error)


def _try(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, ok=True, found=look())
    except WheelyardError as error:
        return _failure(name, error)


def _failure(name: str, error: WheelyardError) -> Finding:
    found = "; ".join(part for part in (error.failed, error.found) if part)
    return Finding(name=name, ok=False, found=found, do=error.do or error.expected)


def _mmdebstrap() -> str:
    return run_command(["mmdebstrap", "--version"], timeout=ASK_TIMEOUT).strip()


def _disk(folder: Path) -> str:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < FREE_DISK:
        raise InfrastructureError(
            f"{place} has {free / GIB:.1f} GiB left",
            expected=f"at least {FREE_DISK // GIB} GiB",
            do="make room, or set WHEELYARD_DATA_DIR to a folder on a larger disk",
        )
    return f"{free / GIB:.0f} GiB free at {place}"


def _mirror(settings: Settings) -> str:
    mirror = find_mirror(settings)
    debian = get_toolchain(settings.toolchain, settings.toolchains_dir).debian
    release = f"{mirror.main}/dists/{debian.suite if debian else 'stable'}/InRelease"
    with tempfile.TemporaryDirectory(prefix="wheelyard-doctor-") as folder:
        # apt's own way to it, with apt's own proxies.
        target = str(Path(folder) / "InRelease")
        run_command([APT_HELPER, "-q", "download-file", release, target], timeout=ASK_TIMEOUT)
    return mirror.main


def _index(settings: Settings) -> str:
    index = ["--index-url", settings.index_url] if settings.index_url else []
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", *index]
    answer = run_command([*command, PROBED_PROJECT], timeout=ASK_TIMEOUT)
    return f"answers: {answer.splitlines()[0]}" if answer else "answers"


def _store(settings: Settings) -> Iterator[Finding]:
    """Each promise of the store, and what it costs where it is not kept."""
    try:
        for promise in open_store(settings).check():
            yield Finding(
                name=f"store: {promise.name}", ok=promise.kept, found=promise.found, do=promise.costs
            )
    except WheelyardError as error:
        yield _failure("store", error)


def _print(finding: Finding) -> None:
    line = f"{'ok    ' if finding.ok else 'failed'}  {finding.name}"
    following = f"\n        next: {finding.do}" if finding.do else ""
    _say(line + (f": {finding.found}" if finding.found else "") + following)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The program `python -m worker.doctor [--json]`; returns 0 where all is well, and 3 where it is not."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    findings = []
    for finding in _findings(read_settings()):
        findings.append(finding)
        if "--json" not in words:
            _print(finding)
    if "--json" in words:
        _say(json.dumps([asdict(finding) for finding in findings], indent=2))
    return 0 if all(finding.ok for finding in findings) else InfrastructureError.exit_code


if __name__ == "__main__":
    sys.exit(main())
