"""Which files of a channel may go by the rules: those that newer ones replace, and that nobody uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelyard.index_file import FileKind, IndexFile
from wheelyard.store.contract import GRACE_SECONDS

DAY = 86400.0
UNUSED_SECONDS = 30 * DAY
RECENT_SECONDS = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a collection may take. Times are in seconds, sizes in bytes; None does not ask for it.

    Without `older_than`, `unused_for` and `keep_size` no file of a channel goes, only bytes without a use.

    :param older_than: a file must have been published longer ago.
    :param unused_for: a file must not have been taken for as long; a month where only others are given.
    :param keep_size: only so many files of a channel go that it takes up no more than this.
    :param channels: whose files may go; empty for all.
    :param logs_older_than: logs of jobs and wheels may go that ended longer ago.
    :param keep_compiler_caches: the compiler caches that were used last stay, as far as they take up no more.
    :param grace: bytes that were written or needed within it stay, whatever else.
    :param recent: what jobs named that ended within it stays.
    """

    older_than: float | None = None
    unused_for: float | None = None
    keep_size: int | None = None
    channels: frozenset[str] = frozenset()
    logs_older_than: float | None = None
    keep_compiler_caches: int | None = None
    grace: float = GRACE_SECONDS
    recent: float = RECENT_SECONDS

    @property
    def take_files(self) -> bool:
        """Whether files of channels may go at all."""
        return any(rule is not None for rule in (self.older_than, self.unused_for, self.keep_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVerdict:
    """What becomes of one file of a channel.

    :param reason: why it stays or goes, for people.
    """

    file: IndexFile
    goes: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A file, and when somebody last took it: epoch seconds, 0 for never."""

    file: IndexFile
    used_at: float

    @property
    def last_use(self) -> float:
        """Its last use; it counts as used when it was published."""
        return max(self.used_at, self.file.published_at)


def judge_channel(
    files: Iterable[HeldFile], rules: Rules, now: float, pinned: Callable[[IndexFile], str]
) -> Iterator[FileVerdict]:
    """What becomes of each file of one channel.

    :param files: all of them, sorted by project.
    :param now: epoch seconds.
    :param pinned: says why something else needs a file; empty where nothing does.
    """
    total, may_go = 0, []
    for _project, group in groupby(files, key=lambda held: held.file.project):
        members = list(group)
        total += sum(held.file.size for held in members)
        replaced = superseded([held.file for held in members])
        for held in members:
            reason = _stays(held, rules, now, replaced, pinned)
            if reason:
                yield FileVerdict(file=held.file, goes=False, reason=reason)
            else:
                may_go.append((held, replaced[held.file.filename]))
    may_go.sort(key=lambda pair: (pair[0].last_use, pair[0].file.filename))
    for held, reason in may_go:
        goes = rules.keep_size is None or total > rules.keep_size
        total -= held.file.size if goes else 0
        days = (now - held.last_use) / DAY
        yield FileVerdict(
            file=held.file,
            goes=goes,
            reason=f"{reason}, unused for {days:.0f} days" if goes else "the channel is within its size",
        )


def _stays(
    held: HeldFile,
    rules: Rules,
    now: float,
    replaced: dict[str, str],
    pinned: Callable[[IndexFile], str],
) -> str:
    file = held.file
    if file.filename not in replaced:
        return "the newest of its kind in its channel"
    if not rules.take_files or (rules.channels and file.channel not in rules.channels):
        return "its channel shows it"
    if need := pinned(file):
        return need
    if rules.older_than is not None and now - file.published_at < rules.older_than:
        return "published lately"
    unused_for = UNUSED_SECONDS if rules.unused_for is None else rules.unused_for
    return "used lately" if now - held.last_use < unused_for else ""


def superseded(files: Iterable[IndexFile]) -> dict[str, str]:
    """File names of one project in one channel that others replace, each with what replaces it.

    A wheel is replaced by one for the very same tags with a higher version or build number (PEP 427), an
    sdist by one with a higher version; a final release is not by a mere pre-release (PEP 440). What was
    yanked replaces nothing, and needs nothing that does.
    """
    kinds: dict[str, list[tuple[tuple[Version, tuple[int, str]], IndexFile]]] = {}
    found: dict[str, str] = {}
    for file in files:
        if file.yanked is not None:
            found[file.filename] = "yanked"
            continue
        try:
            kinds.setdefault(_kind(file), []).append((_rank(file), file))
        except (InvalidVersion, InvalidWheelFilename):
            continue
    for members in kinds.values():
        members.sort(key=lambda pair: pair[0])
        newest = members[-1][1]
        finals = [file for rank, file in members if not rank[0].is_prerelease]
        stay = {file.filename for file in (newest, *finals[-1:])}
        for _its_rank, file in members:
            if file.filename not in stay:
                found[file.filename] = f"replaced by {newest.filename}"
    return found


def _kind(file: IndexFile) -> str:
    if file.kind is FileKind.SDIST:
        return "sdist"
    return ".".join(sorted(map(str, parse_wheel_filename(file.filename)[3])))


def _rank(file: IndexFile) -> tuple[Version, tuple[int, str]]:
    build = () if file.kind is FileKind.SDIST else parse_wheel_filename(file.filename)[2]
    return Version(file.version), (build[0], build[1]) if build else (-1, "")
