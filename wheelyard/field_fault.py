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


def likely_field(word: str, fields: Sequence[str], often_meant: Mapping[str, str]) -> str:
    """The field that somebody who wrote another word is likely to mean; empty where none is like it.

    :param often_meant: words of other tools' files, by what they are called here.
    """
    word = word.lower().replace("-", "_")
    if often_meant.get(word) in fields:
        return often_meant[word]
    return next(iter(get_close_matches(word, fields, n=1, cutoff=0.6)), "")
