"""Ignore rules: the patterns of a `.dockerignore`, matched as docker matches them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from wheelyard.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    pattern: re.Pattern[str]
    wanted: bool
    literal: str


class IgnoreRules:
    """Patterns in order; the last one that matches a path, or a folder above it, decides.

    `*` and `?` stay inside one part of a path, `**` crosses parts, `[a-z]` is a set, `!` takes back, `#`
    begins a comment. A pattern is always read from the folder's root.

    :param lines: of the file.
    :param origin: its name, for messages.
    :raises InputError: a pattern can't be read.
    """

    def __init__(self, lines: Iterable[str], origin: str = "") -> None:
        self._rules: list[_Rule] = []
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            wanted = text.startswith("!")
            text = "/".join(
                part for part in text.removeprefix("!").strip().split("/") if part not in ("", ".")
            )
            if not text:
                continue
            try:
                pattern = re.compile(_expression(text))
            except re.error as error:
                raise InputError(
                    f"the pattern {line!r} can't be read", found=f"{error} ({origin}, line {number})"
                ) from error
            literal = re.split(r"[*?\[\\]", text)[0]
            self._rules.append(_Rule(pattern=pattern, wanted=wanted, literal=literal))

    def ignores(self, path: str) -> bool:
        """Whether a path is left out.

        :param path: relative to the folder, with `/`.
        """
        parts = path.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        ignored = False
        for rule in self._rules:
            if rule.wanted != ignored:
                continue
            if any(rule.pattern.fullmatch(part) for part in above):
                ignored = not rule.wanted
        return ignored

    def may_want_below(self, folder: str) -> bool:
        """Whether a `!` could bring back something below an ignored folder."""
        below = folder + "/"
        return any(
            rule.wanted and (rule.literal.startswith(below) or below.startswith(rule.literal))
            for rule in self._rules
        )


def _expression(pattern: str) -> str:
    """The regular expression of one pattern, as Go's `filepath.Match` with docker's `**`."""
    out, place = "", 0
    while place < len(pattern):
        letter = pattern[place]
        if pattern.startswith("**/", place):
            out, place = out + "(?:.*/)?", place + 3
        elif pattern.startswith("**", place):
            out, place = out + ".*", place + 2
        elif letter == "*":
            out, place = out + "[^/]*", place + 1
        elif letter == "?":
            out, place = out + "[^/]", place + 1
        elif letter == "[":
            end = pattern.find("]", place + 2)
            if end < 0:
                raise re.error("a set without its end")
            inner = pattern[place + 1 : end].replace("\\", "\\\\")
            negation = "^" if inner[0] in "!^" else ""
            out, place = f"{out}[{negation}{inner[len(negation) :]}]", end + 1
        elif letter == "\\" and place + 1 < len(pattern):
            out, place = out + re.escape(pattern[place + 1]), place + 2
        else:
            out, place = out + re.escape(letter), place + 1
    return out
