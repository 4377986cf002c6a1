"""The text of a recipe: values as TOML writes them, and fields that are set while all else stays."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from wheelyard.errors import InputError

Value = str | bool | int | float | Sequence[str] | Mapping[str, Any]
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TABLE = re.compile(r"^\s*\[")
_LONG_LINE = 100


def toml_value(value: Value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        # A JSON string is a basic string of TOML, but for DEL, which TOML wants to be escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return "[" + ", ".join(toml_value(item) for item in value) + "]"


def toml_line(field: str, value: Value) -> str:
    """A field and its value, as a recipe says it; a long list has a line for each of its members.

    :param field: with a dot for a table's: `environment.CFLAGS`.
    """
    table, dot, name = field.partition(".")
    key = f"{_key(table)}.{_key(name)}" if dot else _key(table)
    line = f"{key} = {toml_value(value)}"
    if len(line) <= _LONG_LINE or isinstance(value, str) or not isinstance(value, Sequence):
        return line
    return f"{key} = [\n" + "".join(f"    {toml_value(item)},\n" for item in value) + "]"


def set_fields(text: str, changes: Mapping[str, Value]) -> str:
    """A recipe's text with some of its fields set; comments and everything else stay as they are.

    :param changes: by field, with a dot for one of a table's.
    :raises InputError: the text is not TOML, or is written in a way that can't be changed safely.
    """
    try:
        wanted = _changed(tomllib.loads(text), changes)
        for field, value in changes.items():
            text = _set_field(text, field, value)
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, _Unclear) as error:
        raise InputError(
            "the recipe can't be changed by a program", found=str(error), do=_by_hand(changes)
        ) from error
    if found != wanted:
        raise InputError(
            "the recipe can't be changed by a program",
            found="text in which the place of a field is not clear",
            do=_by_hand(changes),
        )
    return text


class _Unclear(Exception):
    """Where a field's value ends can't be told."""


def _by_hand(changes: Mapping[str, Value]) -> str:
    lines = "; ".join(toml_line(field, value) for field, value in changes.items())
    return f"write this into it by hand: {lines}"


def _changed(document: dict[str, Any], changes: Mapping[str, Value]) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    for field, value in changes.items():
        table, dot, name = field.partition(".")
        plain = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        if dot:
            changed.setdefault(table, {})[name] = plain
        else:
            changed[table] = plain
    return changed


def _set_field(text: str, field: str, value: Value) -> str:
    lines = text.splitlines()
    table, dot, name = field.partition(".")
    heads = [number for number, line in enumerate(lines) if _TABLE.match(line) and _is_toml(lines[:number])]
    bounds = [*heads, len(lines)]
    own = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]")
    for start, end in pairwise(bounds):
        if dot and own.match(lines[start]):
            return _put(lines, start + 1, end, _key(name), toml_line(name, value))
    whole = tomllib.loads(text).get(table)
    if dot and isinstance(whole, dict) and _find(lines, 0, bounds[0], _key(table)) is not None:
        return _put(lines, 0, bounds[0], _key(table), toml_line(table, {**whole, name: value}))
    key = f"{_key(table)}.{_key(name)}" if dot else _key(table)
    return _put(lines, 0, bounds[0], key, toml_line(field, value))


def _put(lines: list[str], start: int, end: int, key: str, line: str) -> str:
    """Replace a key's lines between two places, or add it at their end."""
    found = _find(lines, start, end, key)
    if found is None:
        while end > start and not lines[end - 1].strip():
            end -= 1
        gap = [""] if end < len(lines) and lines[end].strip() else []
        changed = [*lines[:end], line, *gap, *lines[end:]]
    else:
        changed = [*lines[: found[0]], line, *lines[found[1] :]]
    return "\n".join(changed) + "\n"


def _find(lines: list[str], start: int, end: int, key: str) -> tuple[int, int] | None:
    """The lines that give a key its value; None where there are none."""
    opening = re.compile(rf"^\s*{re.escape(key)}\s*=")
    for first in range(start, end):
        if not opening.match(lines[first]):
            continue
        for last in range(first + 1, end + 1):
            if _is_toml(lines[first:last]):
                return first, last
        raise _Unclear(f"the value of {key} has no end")
    return None


def _is_toml(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return False
    return True


def _key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) else toml_value(name)
