"""SPDX licence expressions: whether one can be met by licences that are allowed (SPDX 2.3, annex D)."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_MOST_TOKENS = 2000


def is_met(expression: str, allowed: Callable[[str], bool]) -> bool:
    """Whether an expression holds with licences that are allowed: one side of OR, both of AND.

    What is no expression is read as if all its words had to hold.

    :param allowed: asked for each licence; with an exception it is `NAME WITH EXCEPTION`.
    """
    if not is_expression(expression):
        return all(allowed(licence) for licence in licences_in(expression))
    return _Reading(_with_exceptions(_TOKEN.findall(expression)), allowed).any_of()


def is_expression(text: str) -> bool:
    """Whether a text can be read as an expression at all."""
    reading = _Reading(_with_exceptions(_TOKEN.findall(text)[:_MOST_TOKENS]), lambda _licence: True)
    try:
        return reading.any_of() and reading.is_at_end
    except (IndexError, RecursionError):
        return False


def licences_in(expression: str) -> tuple[str, ...]:
    """The licences that an expression names, each with its exception, in their order and each once."""
    tokens = _with_exceptions(_TOKEN.findall(expression)[:_MOST_TOKENS])
    return tuple(dict.fromkeys(token for token in tokens if token.upper() not in ("AND", "OR", "(", ")")))


def _with_exceptions(tokens: list[str]) -> list[str]:
    joined: list[str] = []
    ahead = iter(tokens)
    for token in ahead:
        if token.upper() == "WITH" and joined:
            joined[-1] = f"{joined[-1]} WITH {next(ahead, '')}".strip()
        else:
            joined.append(token)
    return joined


class _Reading:
    """Recursive descent: OR binds weaker than AND."""

    def __init__(self, tokens: list[str], allowed: Callable[[str], bool]) -> None:
        self._tokens = tokens
        self._allowed = allowed
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._tokens)

    def any_of(self) -> bool:
        met = self._all_of()
        while self._takes("OR"):
            met = self._all_of() or met
        return met

    def _all_of(self) -> bool:
        met = self._one()
        while self._takes("AND"):
            met = self._one() and met
        return met

    def _one(self) -> bool:
        if self._takes("("):
            met = self.any_of()
            if not self._takes(")"):
                raise IndexError("a bracket is not closed")
            return met
        word = self._tokens[self._at]
        if word == ")" or word.upper() in ("AND", "OR"):
            raise IndexError("a licence is missing")
        self._at += 1
        return self._allowed(word)

    def _takes(self, word: str) -> bool:
        there = not self.is_at_end and self._tokens[self._at].upper() == word
        self._at += there
        return there
