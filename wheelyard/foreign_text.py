"""Foreign text: what builds print, made harmless before it is kept, or reaches a terminal or a CI log."""

from __future__ import annotations

import re
from typing import Any

# Escape sequences: CSI, OSC and the other strings with their ends, and the two-character ones; also such as a
# line's end cuts off.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*(?:[@-~]|$)"
    r"|\x9b[0-?]*[ -/]*(?:[@-~]|$)"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?"
)
# Controls but the tab, and what Unicode counts as a line's end.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
# What turns the direction of writing: a line could read otherwise than it is (CVE-2021-42574).
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# GitHub obeys `::command::` at a line's start, after any white space; it, Azure and TeamCity obey
# `##[command]`, `##vso[command]` and `##teamcity[command]` anywhere.
_COMMAND_AT_START = re.compile(r"^(\s*):(?=:)")
_COMMAND_ANYWHERE = re.compile(r"##(?=[a-z]*\[)", re.IGNORECASE)


def clean(text: str) -> str:
    """One line of foreign text without control characters, and with nothing that a CI system would obey.

    What is taken out would steer a terminal; what would turn the text or be obeyed is made visible instead.

    :param text: a line; of several, joined by carriage returns, the last one is what a terminal would show.
    """
    if text.isascii() and text.isprintable() and "##" not in text and ":" not in text[:1] and text[:1] != " ":
        return text
    shown = text.rstrip("\r\n")
    if "\r" in shown:
        shown = next((part for part in reversed(shown.split("\r")) if part.strip()), "")
    shown = _CONTROLS.sub("", _ESCAPES.sub("", shown)).encode("utf-8", "replace").decode("utf-8")
    shown = _TURNS.sub(lambda turn: f"<U+{ord(turn[0]):04X}>", shown)
    return _COMMAND_ANYWHERE.sub("# #", _COMMAND_AT_START.sub(r"\1: ", shown))


def clean_block(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(clean(line) for line in text.split("\n"))


def clean_document(document: Any) -> Any:
    """The same for every string inside a JSON document; its keys are ours."""
    if isinstance(document, str):
        return clean_block(document)
    if isinstance(document, dict):
        return {name: clean_document(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [clean_document(value) for value in document]
    return document
