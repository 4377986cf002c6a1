"""Runs in the build container: takes members out of a wheel, as the recipe's `leave_out` says."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path


def is_left_out(name: str, patterns: Sequence[str]) -> bool:
    """Whether a member goes; the wheel's own metadata never does."""
    about = name.partition("/")[0].endswith(".dist-info")
    return not about and any(fnmatchcase(name, pattern) for pattern in patterns)


def leave_out(wheel: Path, patterns: Sequence[str]) -> tuple[int, int, list[str]]:
    """Take the members that a pattern matches out of a wheel and of its RECORD; all else stays as it is.

    :param patterns: as `fnmatch` reads them, over whole names; `*` matches slashes, too.
    :returns: how many went, their size in the archive, and the patterns that matched none.
    """
    smaller = wheel.with_suffix(".smaller")
    gone: set[str] = set()
    saved = 0
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as new:
        members = old.infolist()
        for member in members:
            if is_left_out(member.filename, patterns):
                gone.add(member.filename)
                saved += member.compress_size
        for member in members:
            if member.filename in gone:
                continue
            if _is_record(member.filename):
                new.writestr(_same_entry(member), _without(old.read(member).decode(), gone))
                continue
            with old.open(member) as content, new.open(_same_entry(member), "w") as target:
                shutil.copyfileobj(content, target, 1 << 20)
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in gone)]
    smaller.replace(wheel)
    return len(gone), saved, idle


def _is_record(name: str) -> bool:
    """Whether a member is the wheel's own RECORD: what is vendored inside may have one, too."""
    folder, _, file = name.partition("/")
    return folder.endswith(".dist-info") and file == "RECORD"


def _same_entry(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """A new entry that says what the old one says, not compressed; sizes are counted anew."""
    entry = zipfile.ZipInfo(member.filename, member.date_time)
    # The whole wheel is packed again after this, evenly: what is deflated here is deflated for nothing.
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = member.create_system
    entry.external_attr = member.external_attr
    entry.file_size = member.file_size
    return entry


def _without(record: str, gone: set[str]) -> str:
    """RECORD without the lines of some files; the others stay in their order."""
    rows = [row for row in csv.reader(io.StringIO(record)) if row and row[0] not in gone]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
