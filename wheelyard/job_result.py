"""A job's result as others are told it: without the plan, which has an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def told_result(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A result without its plan, and without that of the build in it: the inputs of every node are long.

    :param result: as the ledger keeps it.
    """
    if result is None:
        return None
    told = {name: value for name, value in result.items() if name != "plan"}
    if isinstance(told.get("build"), dict):
        told["build"] = told_result(told["build"])
    return told
