"""What is said of a recipe that can't be read: where it is wrong, and what was perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from wheelyard.errors import InputError
from wheelyard.field_fault import expected_field, expected_value

Place = Sequence[int | str]
_OFTEN_MEANT = {
    "env": "environment",
    "depends": "packages",
    "apt": "packages",
    "system_packages": "packages",
    "requires": "build_requires",
    "exclude": "leave_out",
    "test": "smoke",
    "smoke_test": "smoke",
}
# pydantic's own words for the members of a union; they stand in a fault's place like names.
_MEMBERS = ("str", "constrained-str", "list[str]")


def wrong_recipe(fault: Any, origin: str, fields: Sequence[str]) -> InputError:
    """The error of a recipe's first fault.

    :param fault: as pydantic lists it.
    :param origin: the recipe's path.
    :param fields: those that there are in the fault's table.
    """
    place = ".".join(str(part) for part in _readable(fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return InputError(
            f"the recipe {origin} has an unknown field {place}",
            expected=expected_field(fault, fields, _OFTEN_MEANT),
            do="see `wheelyard recipe schema`",
            path=origin,
            field=place,
        )
    return InputError(
        f"the recipe {origin} is wrong at {place or 'its top'}",
        expected=_expected(fault),
        found=repr(fault.get("input"))[:200],
        path=origin,
        field=place,
    )


def _expected(fault: Any) -> str:
    kind, place = fault["type"], fault["loc"]
    if kind == "string_pattern_mismatch" and place[-1:] == ("file",):
        return "a file beside the recipe or in a folder there, such as numpy/fix.patch, and no way out of it"
    if kind == "string_type" and "environment" in place[:-1]:
        return "text in quotes, or false to take it away"
    if kind == "string_type" and "config_settings" in place[:-1]:
        return "text in quotes, a list of such, or false to take it away"
    return expected_value(fault)


def _readable(place: Place) -> Iterator[int | str]:
    """A fault's place without pydantic's own words."""
    for part in place:
        if isinstance(part, int) or (re.fullmatch(r"[\w.-]+", part) and part not in _MEMBERS):
            yield part
