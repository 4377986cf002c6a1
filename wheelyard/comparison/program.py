"""The program that compares, run beside the command: it stands on what the worker knows of engines."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from wheelyard.comparison.figures import Comparison
from wheelyard.comparison.order import ComparisonOrder
from wheelyard.errors import InfrastructureError, InputError, from_document

_END_SECONDS = 120.0


def run_comparison(order: ComparisonOrder, environment: Mapping[str, str]) -> Comparison:
    """Run the program that compares; its steps go to standard error as it says them.

    :param environment: the program's own; it names the service.
    :raises WheelyardError: as the program ended.
    """
    if importlib.util.find_spec("worker") is None or importlib.util.find_spec("worker.comparison") is None:
        raise InputError(
            "this is a client only; images can't be compared", do="pip install 'wheelyard[server]'"
        )
    argv = [sys.executable, "-m", "worker.comparison", json.dumps(order.to_document())]
    # Ctrl-C in a terminal reaches it as well: it removes what it made, and we wait for that.
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=dict(environment)) as running:
        try:
            said, _ = running.communicate()
        except BaseException:
            with suppress(ProcessLookupError):
                running.terminate()
            with suppress(subprocess.TimeoutExpired):
                running.wait(_END_SECONDS)
            raise
    try:
        document: dict[str, Any] = json.loads(said)
    except ValueError as error:
        raise InfrastructureError(
            "the comparison did not say what it found", found=f"status {running.returncode}"
        ) from error
    if "error" in document:
        raise from_document(document["error"])
    return Comparison.from_document(document["comparison"])
