"""TOML of users: parsed, or refused with its place."""

from __future__ import annotations

import tomllib
from typing import Any

from wheelyard.errors import InputError


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The tables of a TOML document.

    :param name: of the file, for messages.
    :raises InputError: it is none; the message says in which line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} can't be read", expected="a TOML document", found=str(error)) from error
