"""The check of a wheel that claims CPython's stable ABI: each symbol that it takes from Python (PEP 384)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from wheelyard.distributions.refusal import Refusal
from wheelyard.errors import InfrastructureError
from wheelyard.fitting import has_stable_abi
from wheelyard.process import run_command

_SECONDS = 300.0
_MOST_NAMED = 20


def check_stable_abi(wheel: Path, scratch: Path) -> None:
    """Let a wheel pass that claims no stable ABI, or keeps to the one that it claims.

    abi3audit looks at every extension module, in a process of its own: it reads foreign ELF files, and runs
    nothing of them.

    :param wheel: a checked file with the wheel's own name.
    :param scratch: a folder for its unpacked members.
    :raises ForeignOutputRefused: it uses what the ABI of its tag has not; the text names the symbols.
    """
    if not has_stable_abi(wheel.name):
        return
    refuse = Refusal(f"the wheel {wheel.name}")
    folder = scratch / "abi"
    folder.mkdir(exist_ok=True)
    report = folder / "report.json"
    said = ""
    try:
        run_command(
            [sys.executable, "-m", "abi3audit", "--strict", "--report", "--output", str(report), str(wheel)],
            timeout=_SECONDS,
            # It reads what strangers made: none of the worker's secrets is at hand there.
            environment={"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), "NO_COLOR": "1"},
        )
    except InfrastructureError as error:
        # It ends so for a violation, too; the report tells the two apart.
        said = error.found or error.failed
    body = report.read_text() if report.is_file() else ""
    if not body and said:
        raise refuse(
            "its claim of the stable ABI can't be checked", "extension modules that can be read", said
        )
    found = _violations(json.loads(body) if body else {})
    if found:
        more = len(found) - _MOST_NAMED
        raise refuse(
            "it breaks the stable ABI that its tag claims",
            "only symbols of that ABI: compile with Py_LIMITED_API, or leave the abi3 tag out",
            "; ".join(found[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else ""),
        )


def _violations(report: dict[str, Any]) -> list[str]:
    """What abi3audit's report says against the extension modules of one wheel, for people."""
    found = []
    for spec in report.get("specs", {}).values():
        for entry in spec.get("wheel", ()):
            result = entry["result"]
            name, baseline = entry["name"], result["baseline"]
            found += [
                f"{name}: {symbol} is no part of it" for symbol in sorted(set(result["non_abi3_symbols"]))
            ]
            found += [
                f"{name}: {symbol} came with {added}, the tag says {baseline}"
                for symbol, added in sorted(result["future_abi3_objects"].items())
            ]
    return found
