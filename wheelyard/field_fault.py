"""What is said of a field of a file that can't be: what it should be, and which one was perhaps meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

_WORDS = {
    "string_type": "text in quotes",
    "list_type": "a list in [ ]",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "missing": "a value: it can't be left out",
}


def expected_value(fault: Any) -> str:
    """What a field's value should have been.

    :param fault: as pydantic lists it.
    """
    return _WORDS.get(fault["type"], str(fault["msg"]).removeprefix("Value error, "))


def expected_field(fault: Any, fields: Sequence[str], often_meant: Mapping[str, str]) -> str:
    """Which field somebody who wrote an unknown one is likely to mean, or all that there are.

    :param fault: as pydantic lists it.
    :param fields: those that there are in the fault's table.
    :param often_meant: words of other tools' files, by what they are called here.
    """
    word = str(fault["loc"][-1]).lower().replace("-", "_")
    meant = often_meant.get(word, "")
    if meant not in fields:
        meant = next(iter(get_close_matches(word, fields, n=1, cutoff=0.6)), "")
    return f"perhaps you meant {meant}" if meant else "one of " + ", ".join(fields)
