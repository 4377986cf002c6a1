"""Debian's alternatives, read out of the scripts that would install them: which name leads to which file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime_images.merged_usr import merged_path

_CALL = re.compile(r"\bupdate-alternatives\s+(?P<words>[^;&|\n]*--install\s[^;&|\n]*)")
_SET = re.compile(r"^\s*(?P<name>\w+)=(?P<quote>[\"']?)(?P<value>[\w./+:-]*)(?P=quote)\s*$", re.MULTILINE)
_USE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One name that a package offers to be what it leads to (update-alternatives(1)).

    :param link: path of the name, with merged `/usr`, without a slash at its start.
    :param target: path of what it leads to, likewise.
    :param priority: of several packages' offers the highest one counts.
    """

    link: str
    target: str
    priority: int


def read_alternatives(script: str) -> Iterator[Alternative]:
    """What a package's `postinst` installs, its slaves among them. The script is read and never run.

    Names and files have to stand there literally, or in variables that are set so; others are passed over.
    """
    text = script.replace("\\\n", " ")
    known = {match["name"]: match["value"] for match in _SET.finditer(text)}
    for call in _CALL.finditer(text):
        try:
            words = shlex.split(_USE.sub(lambda use: known.get(use[1] or use[2], use[0]), call["words"]))
            at = words.index("--install") + 1
            link, _name, target, priority = words[at : at + 4]
            offers = [(link, target)]
            rest = iter(words[at + 4 :])
            offers += [(next(rest), (next(rest), next(rest))[1]) for word in rest if word == "--slave"]
            level = int(priority)
        except (ValueError, StopIteration):
            continue
        for name, file in offers:
            if _is_plain(name) and _is_plain(file):
                yield Alternative(link=_inside(name), target=_inside(file), priority=level)


def best_alternatives(offers: Iterable[Alternative]) -> dict[str, str]:
    """Path of each name to what it leads to: that of the highest priority, and of equal ones the first."""
    best: dict[str, Alternative] = {}
    for offer in offers:
        if offer.link not in best or offer.priority > best[offer.link].priority:
            best[offer.link] = offer
    return {link: offer.target for link, offer in sorted(best.items())}


def _is_plain(path: str) -> bool:
    return path.startswith("/") and "$" not in path and ".." not in PurePosixPath(path).parts


def _inside(path: str) -> str:
    return merged_path(path.lstrip("/"))
