"""Markers of locks that ask for extras and dependency groups (PEP 751): settled, and the rest kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.utils import canonicalize_name

_TOKEN = re.compile(r"""\s*(\(|\)|"[^"]*"|'[^']*'|not\s+in\b|[<>=!~]+|[A-Za-z_][A-Za-z0-9_.]*)""")
_CHOICES = ("extras", "dependency_groups")

# What a marker settles to: it holds, it does not, or the rest of it is for the toolchain's Python to judge.
Settled = bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user chose of a lock.

    :param extras: canonical names.
    :param groups: names of dependency groups (PEP 735), canonical.
    """

    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @classmethod
    def of(cls, extras: Collection[str], groups: Collection[str]) -> Choice:
        """The choice of those names, in whatever spelling."""
        return cls(
            extras=frozenset(map(canonicalize_name, extras)), groups=frozenset(map(canonicalize_name, groups))
        )

    def has(self, variable: str, name: str) -> bool:
        """Whether a name was chosen.

        :param variable: `extras` or `dependency_groups`.
        """
        return canonicalize_name(name) in (self.extras if variable == "extras" else self.groups)


def settle(marker: Marker | None, choice: Choice) -> Marker | bool:
    """What is left of a marker once it is known which extras and groups are wanted.

    :returns: True where it holds everywhere, False where it never does.
    """
    if marker is None:
        return True
    settled = _either(_Tokens(str(marker)), choice)
    return Marker(settled) if isinstance(settled, str) else settled


class _Tokens:
    """The words of a marker, one after the other."""

    def __init__(self, text: str) -> None:
        self._words: Iterator[str] = (match.group(1) for match in _TOKEN.finditer(text))
        self.next = next(self._words, "")

    def take(self) -> str:
        """The next word."""
        word, self.next = self.next, next(self._words, "")
        return word


def _either(tokens: _Tokens, choice: Choice) -> Settled:
    parts = [_both(tokens, choice)]
    while tokens.next == "or":
        tokens.take()
        parts.append(_both(tokens, choice))
    if True in parts:
        return True
    texts = [part for part in parts if isinstance(part, str)]
    return f"({' or '.join(texts)})" if len(texts) > 1 else texts[0] if texts else False


def _both(tokens: _Tokens, choice: Choice) -> Settled:
    parts = [_one(tokens, choice)]
    while tokens.next == "and":
        tokens.take()
        parts.append(_one(tokens, choice))
    if False in parts:
        return False
    texts = [part for part in parts if isinstance(part, str)]
    return " and ".join(texts) if texts else True


def _one(tokens: _Tokens, choice: Choice) -> Settled:
    if tokens.next == "(":
        tokens.take()
        inner = _either(tokens, choice)
        tokens.take()
        return f"({inner})" if isinstance(inner, str) and not inner.startswith("(") else inner
    left, operator, right = tokens.take(), tokens.take(), tokens.take()
    if right in _CHOICES:
        has = choice.has(right, left.strip("\"'"))
        return has if operator == "in" else not has
    return f"{left} {operator} {right}"
