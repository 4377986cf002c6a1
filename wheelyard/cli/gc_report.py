"""What `cache gc` is told and what it tells: rules out of options, verdicts as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wheelyard.errors import InputError

if TYPE_CHECKING:
    from wheelyard.keeping.collection import BlobVerdict
    from wheelyard.keeping.file_rules import FileVerdict


def rule_seconds(option: str, text: str) -> float | None:
    """An option's time in seconds; None where it was not given.

    :raises InputError: it is no time.
    """
    from wheelyard.cli.channel_commands import age_seconds

    try:
        return float(age_seconds(text)) if text else None
    except InputError as error:
        raise InputError(
            f"{option} has a value that it can't have", expected=error.expected, found=repr(text[:50])
        ) from error


def rule_size(option: str, text: str) -> int | None:
    """An option's size in bytes; None where it was not given.

    :raises InputError: it is no size.
    """
    from wheelyard.limits import parse_size

    if not text:
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        raise InputError(
            f"{option} has a value that it can't have", expected=str(error), found=repr(text[:50])
        ) from error


def blob_line(verdict: BlobVerdict) -> dict[str, Any]:
    """A verdict on a blob as JSON-serialisable fields."""
    return {
        "type": "blob",
        "digest": str(verdict.digest),
        "size": verdict.size,
        "modified_at": verdict.modified_at,
        "goes": verdict.goes,
        "reason": verdict.reason,
        "detail": verdict.detail,
    }


def file_line(verdict: FileVerdict) -> dict[str, Any]:
    """A verdict on a channel's file as JSON-serialisable fields."""
    return {
        "type": "file",
        "channel": verdict.file.channel,
        "filename": verdict.file.filename,
        "digest": str(verdict.file.digest),
        "size": verdict.file.size,
        "goes": verdict.goes,
        "reason": verdict.reason,
    }
