"""A lock as its user has it: pinned lines in the text of requirements files, each known by its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.requirement_lines import (
    INDEX_OPTIONS,
    OTHER_OPTIONS,
    logical_lines,
    option_name,
    split_hashes,
)

# With exact versions it changes nothing.
_NOTHING_TO_PINS = ("--pre",)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedLine:
    """One requirement of a lock at one version.

    :param project: canonical name (PEP 503).
    :param requirement: as PEP 508 writes it, extras and marker included.
    :param digests: hashes that the lock allows; none where it has none for it.
    :param origin: where it stands, for messages: `lock.txt, line 3`.
    :param span: numbers of its first line and of the one behind its last, in `UserLock.lines`.
    """

    project: str
    version: str
    requirement: Requirement
    digests: frozenset[Digest]
    origin: str
    span: tuple[int, int]

    @property
    def pin(self) -> str:
        """What a build is asked for: name and version, without extras and marker."""
        return f"{self.project}=={self.version}"

    @property
    def marker(self) -> Marker | None:
        """Where the requirement holds; None for everywhere."""
        return self.requirement.marker


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLock:
    """One lock, of one text or several.

    :param lines: of the texts, one behind the other.
    :param pins: in their order.
    :param index_lines: numbers of the lines that name an index, to which pip would go.
    """

    lines: tuple[str, ...]
    pins: tuple[PinnedLine, ...]
    index_lines: tuple[int, ...]

    @property
    def hashed(self) -> bool:
        """Whether pip will ask for hashes: one line that has them is enough for that."""
        return any(pin.digests for pin in self.pins)

    def with_digests(self, added: dict[PinnedLine, frozenset[Digest]]) -> str:
        """The text with more hashes, and without the lines that name an index; all else is as it was.

        :param added: for each line, what it allows beside its own.
        """
        spans = {pin.span[0]: pin for pin in added if added[pin]}
        written, number = [], 0
        while number < len(self.lines):
            pin = spans.get(number)
            if pin is not None:
                hashes = [f"    --hash={digest}" for digest in sorted(pin.digests | added[pin], key=str)]
                written.append(" \\\n".join([str(pin.requirement), *hashes]))
                number = pin.span[1]
                continue
            if number not in self.index_lines:
                written.append(self.lines[number])
            number += 1
        return "\n".join(written) + "\n"


def read_user_lock(texts: Sequence[tuple[str, str]]) -> UserLock:
    """Read a lock: what pip-tools and uv write, or any requirements with exact versions.

    :param texts: the name of each, for messages, and the text itself.
    :raises InputError: a line is not pinned, is no requirement of an index, or contradicts another one;
        the message names it.
    """
    lines: list[str] = []
    pins: list[PinnedLine] = []
    index_lines: list[int] = []
    for name, text in texts:
        base = len(lines)
        lines += text.splitlines()
        for first, last, logical in logical_lines(lines[base:]):
            origin = f"{name}, line {first + 1}"
            if logical.startswith("-"):
                if _option(logical, origin) in INDEX_OPTIONS:
                    index_lines += range(base + first, base + last)
            else:
                pins.append(_pinned(logical, origin, (base + first, base + last)))
    if not pins:
        raise InputError(
            f"{', '.join(name for name, _ in texts)} pins nothing",
            expected="lines such as numpy==2.4.6",
            do="make it with `pip-compile --generate-hashes`, or with `uv export`",
        )
    _refuse_contradictions(pins)
    return UserLock(lines=tuple(lines), pins=tuple(pins), index_lines=tuple(index_lines))


def joined_locks(locks: Sequence[UserLock]) -> UserLock:
    """Several locks as one, in their order.

    :raises InputError: a line of one contradicts a line of another.
    """
    lines: list[str] = []
    pins: list[PinnedLine] = []
    index_lines: list[int] = []
    for lock in locks:
        base = len(lines)
        lines += lock.lines
        pins += [replace(pin, span=(pin.span[0] + base, pin.span[1] + base)) for pin in lock.pins]
        index_lines += [number + base for number in lock.index_lines]
    _refuse_contradictions(pins)
    return UserLock(lines=tuple(lines), pins=tuple(pins), index_lines=tuple(index_lines))


def _option(line: str, origin: str) -> str:
    name = option_name(line)
    if name in (*INDEX_OPTIONS, *OTHER_OPTIONS, *_NOTHING_TO_PINS):
        return name
    do = "leave the line out"
    if name in ("-r", "--requirement", "-c", "--constraint"):
        do = "give that file as another `-r`, and leave the line out"
    if name in ("-e", "--editable"):
        do += "; the project itself is not a part of its lock (`uv export --no-emit-project`)"
    raise InputError(
        f"{origin}: {line[:80]!r} can't be waited for",
        expected="NAME==VERSION, with or without hashes",
        do=do,
    )


def _pinned(line: str, origin: str, span: tuple[int, int]) -> PinnedLine:
    text, digests = split_hashes(line, origin)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise InputError(
            f"{origin}: {text[:80]!r} is not the requirement of an index",
            expected="NAME==VERSION, with or without hashes",
            found=str(error).splitlines()[0],
            do="a path or an address can't be waited for: leave it out, or upload what it stands for",
        ) from error
    clauses = list(requirement.specifier)
    exact = len(clauses) == 1 and clauses[0].operator in ("==", "===")
    if requirement.url is not None or not exact or clauses[0].version.endswith(".*"):
        raise InputError(
            f"{origin}: {text[:80]!r} is not pinned",
            expected=f"an exact version: {requirement.name}==VERSION",
            found=requirement.url or str(requirement.specifier) or "no version",
            do="lock it with `pip-compile --generate-hashes` or `uv pip compile`, and wait for the lock; "
            "or let `wheelyard build -r FILE` choose the versions",
        )
    return PinnedLine(
        project=canonicalize_name(requirement.name),
        version=clauses[0].version,
        requirement=requirement,
        digests=digests,
        origin=origin,
        span=span,
    )


def _refuse_contradictions(pins: Sequence[PinnedLine]) -> None:
    """Two versions of one project can't be installed together; markers may keep them apart."""
    known: dict[str, PinnedLine] = {}
    for pin in pins:
        other = known.setdefault(pin.project, pin)
        if other.version != pin.version and pin.marker is None and other.marker is None:
            raise InputError(
                f"{pin.origin}: {pin.pin} contradicts {other.pin}",
                expected="one version of each project",
                found=f"the other one in {other.origin}",
                do="lock the files together",
            )
