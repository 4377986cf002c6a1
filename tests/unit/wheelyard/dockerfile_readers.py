"""How docker (BuildKit) and buildah (imagebuilder) read the lines of a Dockerfile, as far as ours go."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\[ \t]*$")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One of the two: older ones of buildah leave `\\\\` inside quotes as it is."""

    backslash_in_quotes: bool

    def instructions(self, text: str) -> list[tuple[str, str]]:
        """Name and the rest of each instruction."""
        found, line = [], ""
        for raw in text.split("\n"):
            part = raw.lstrip() if not line else raw
            if part.lstrip().startswith("#") or (not part.strip() and not line):
                continue
            if _CONTINUED.search(part):
                line += _CONTINUED.sub("", part)
                continue
            line += part
            name, _, rest = line.strip().partition(" ")
            found.append((name, rest.strip()))
            line = ""
        assert not line
        return found

    def pairs(self, rest: str) -> dict[str, str]:
        """What `ENV` and `LABEL` say."""
        found = {}
        for raw in _words(rest):
            name, equals, value = raw.partition("=")
            assert equals
            found[self.value(name)] = self.value(value)
        return found

    def value(self, raw: str) -> str:
        """A word without its quotes; a variable would be an empty one."""
        result, at = "", 0
        while at < len(raw):
            letter = raw[at]
            at += 1
            if letter == "'":
                end = raw.index("'", at)
                result, at = result + raw[at:end], end + 1
            elif letter == '"':
                part, at = self._quoted(raw, at)
                result += part
            elif letter == "$":
                raise AssertionError(f"a variable in {raw}")
            elif letter == "\\":
                result, at = result + raw[at : at + 1], at + 1
            else:
                result += letter
        return result

    def _quoted(self, raw: str, at: int) -> tuple[str, int]:
        result = ""
        special = '"$\\' if self.backslash_in_quotes else '"$'
        while raw[at] != '"':
            if raw[at] == "$":
                raise AssertionError(f"a variable in {raw}")
            if raw[at] == "\\" and raw[at + 1] in special:
                at += 1
            result += raw[at]
            at += 1
        return result, at + 1


def _words(rest: str) -> list[str]:
    """Words between spaces, with their quotes (parseWords of both)."""
    words, word, quote, at = [], "", "", 0
    while at < len(rest):
        letter = rest[at]
        at += 1
        if not quote and letter.isspace():
            if word:
                words.append(word)
            word = ""
            continue
        if letter == "\\" and at < len(rest):
            word += letter + rest[at]
            at += 1
            continue
        if letter in "'\"":
            quote = "" if quote == letter else quote or letter
        word += letter
    assert not quote
    return [*words, word] if word else words


def listed(rest: str) -> list[str]:
    """The words of a JSON list."""
    found = json.loads(rest)
    assert all(isinstance(one, str) for one in found)
    return found


READERS = (Reader(backslash_in_quotes=True), Reader(backslash_in_quotes=False))
