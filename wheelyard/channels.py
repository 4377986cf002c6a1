"""Channels: named indexes inside the cache, each perhaps on top of another one."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from packaging.utils import canonicalize_name
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from wheelyard.catalogue import check_channel
from wheelyard.errors import Conflict, InputError, NotFound
from wheelyard.index_changes import Change, note_change
from wheelyard.index_file import FileKind
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import ACTIVE, ChannelRow, FileRow, JobRow
from wheelyard.store.contract import Store

DEFAULT = "default"
_LONGEST_AGE = 10 * 366 * 86400


class UpstreamPolicy(StrEnum):
    """Of which projects a channel takes upstream's files: none, those of its list, or all."""

    OFF = "off"
    LISTED = "listed"
    ALL = "all"


class UpstreamKinds(StrEnum):
    """Which of upstream's files a channel takes."""

    WHEELS = "wheels"
    SDISTS = "sdists"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A named index.

    :param base: the channel whose files it shows behind its own; empty for none.
    :param upstream: of which projects it takes upstream's files.
    :param kinds: which of them.
    :param projects: canonical names, where the policy goes by a list.
    :param min_age: seconds for which an upstream file must have been out before it is shown.
    :param made_at: epoch seconds.
    """

    name: str
    base: str = ""
    upstream: UpstreamPolicy = UpstreamPolicy.OFF
    kinds: UpstreamKinds = UpstreamKinds.BOTH
    projects: tuple[str, ...] = ()
    min_age: int = 0
    made_at: float = 0.0

    def __post_init__(self) -> None:
        check_channel(self.name)
        if self.base:
            check_channel(self.base)
        if not 0 <= self.min_age <= _LONGEST_AGE:
            raise InputError(
                f"the channel {self.name} can't ask for that minimum age",
                expected=f"0 to {_LONGEST_AGE} seconds",
                found=str(self.min_age),
            )
        names = tuple(sorted({canonicalize_name(name) for name in self.projects}))
        object.__setattr__(self, "projects", names)

    def takes(self, project: str) -> bool:
        """Whether its policy lets it show upstream's files of a project; ownership is another question.

        :param project: canonical name.
        """
        if self.upstream is UpstreamPolicy.LISTED:
            return project in self.projects
        return self.upstream is UpstreamPolicy.ALL

    def takes_kind(self, kind: FileKind) -> bool:
        """Whether its policy lets it show upstream's files of a kind."""
        return self.kinds is UpstreamKinds.BOTH or self.kinds.value == f"{kind.value}s"

    def to_fields(self) -> dict[str, Any]:
        """Its row's fields, JSON-serialisable."""
        return {
            "name": self.name, "base": self.base, "upstream": self.upstream.value,
            "upstream_kinds": self.kinds.value, "upstream_projects": list(self.projects),
            "min_age": self.min_age, "made_at": self.made_at,
        }  # fmt: skip


class Channels:
    """Reads and writes of channels. Safe at the same time from any number of processes.

    :param store: keeps each change, before the database shows it.
    """

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def get(self, name: str) -> Channel:
        """A channel.

        :raises NotFound: there is none of that name.
        """
        with self._database.reading() as session:
            return _get(session, name)

    def list(self) -> list[Channel]:
        """Every channel, by name."""
        with self._database.reading() as session:
            return [_channel(row) for row in session.scalars(select(ChannelRow).order_by(ChannelRow.name))]

    def chain(self, name: str) -> tuple[Channel, ...]:
        """A channel, its base, the base's base and so on.

        :raises NotFound: there is none of that name.
        """
        with self._database.reading() as session:
            return read_chain(session, name)

    def stamps(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """Of each channel: its chain, each one with the number that counts what changed there.

        What was read of a channel after this was asked holds for as long as its stamp is the same.
        """
        query = select(ChannelRow.name, ChannelRow.base, ChannelRow.version)
        with self._database.reading() as session:
            rows = {row.name: row for row in session.execute(query)}
        stamps = {}
        for name in rows:
            chain: dict[str, int] = {}
            one = name
            while one in rows and one not in chain:
                chain[one] = rows[one].version
                one = rows[one].base
            stamps[name] = tuple(chain.items())
        return stamps

    @repeated
    def create(self, channel: Channel, actor: str) -> tuple[Channel, bool]:
        """Make a channel; the same one again is a no-op.

        :returns: the channel, and whether it was made now.
        :raises Conflict: there is another one of that name.
        :raises NotFound: its base does not exist.
        """
        with self._database.transaction() as session:
            lock_channels(session)
            row = session.get(ChannelRow, channel.name)
            if row is not None:
                kept = _channel(row)
                if replace(channel, made_at=kept.made_at) == kept:
                    return kept, False
                raise Conflict(
                    f"there is a channel {channel.name} already, with other settings",
                    do=f"change it with `wheelyard channel set {channel.name}`",
                )
            made = replace(channel, made_at=self._clock())
            self._put(session, made, actor)
            return made, True

    @repeated
    def change(self, name: str, change: Callable[[Channel], Channel], actor: str) -> Channel:
        """Give a channel other settings; what is there already stays as it is.

        :param change: makes the new one of the one that is there.
        :raises NotFound: it does not exist, or its new base does not.
        :raises Conflict: its new base stands on it.
        """
        with self._database.transaction() as session:
            lock_channels(session)
            before = _get(session, name)
            after = replace(change(before), name=before.name, made_at=before.made_at)
            if after != before:
                self._put(session, after, actor)
            return after

    @repeated
    def remove(self, name: str, actor: str) -> None:
        """Take an empty channel away.

        :raises NotFound: there is none of that name.
        :raises Conflict: it has files, it is another one's base, a job works for it, or it is `default`.
        """
        with self._database.transaction() as session:
            lock_channels(session)
            _get(session, name)
            reason = _why_kept(session, name)
            if reason:
                raise Conflict(f"the channel {name} can't be removed: {reason}")
            fields = {"name": name, "removed": True}
            note_change(self._store, Change.CHANNEL, actor, fields, self._clock)
            set_channel(session, fields)

    def _put(self, session: Session, channel: Channel, actor: str) -> None:
        if channel.base:
            chain = read_chain(session, channel.base)
            if channel.name in {one.name for one in chain}:
                raise Conflict(
                    f"the channel {channel.name} can't build on {channel.base}",
                    expected="a base that does not stand on the channel itself",
                    found=" on ".join([channel.name, *(one.name for one in chain)]),
                )
        fields = channel.to_fields()
        note_change(self._store, Change.CHANNEL, actor, fields, self._clock)
        set_channel(session, fields)


def lock_channels(session: Session) -> None:
    """Let the settings of the index be changed by one transaction at a time; SQLite has one writer anyway."""
    session.execute(select(ChannelRow.name).order_by(ChannelRow.name).with_for_update()).all()


def set_channel(session: Session, fields: dict[str, Any]) -> None:
    """Set a channel's row to the fields of a change, inside the caller's transaction.

    :param fields: the row's, or `name` and `removed`.
    """
    row = session.get(ChannelRow, fields["name"])
    if fields.get("removed"):
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(ChannelRow(**fields))
    else:
        for name, value in fields.items():
            setattr(row, name, value)
        row.version += 1
    session.flush()


def _get(session: Session, name: str) -> Channel:
    row = session.get(ChannelRow, check_channel(name))
    if row is None:
        raise no_channel(name)
    return _channel(row)


def no_channel(name: str) -> NotFound:
    """The error of a channel that does not exist."""
    return NotFound(
        f"there is no channel {name}", do=f"make it with `wheelyard channel create {name}`", channel=name
    )


def read_chain(session: Session, name: str) -> tuple[Channel, ...]:
    """A channel and those that it stands on, inside the caller's transaction.

    :raises NotFound: there is none of that name.
    """
    chain: builtins.list[Channel] = []
    while name and name not in {one.name for one in chain}:
        chain.append(_get(session, name))
        name = chain[-1].base
    return tuple(chain)


def _why_kept(session: Session, name: str) -> str:
    if name == DEFAULT:
        return "it is the one that requests get which name none"
    if session.scalar(select(exists().where(FileRow.channel == name))):
        return "it has files"
    above = session.scalar(select(ChannelRow.name).where(ChannelRow.base == name).limit(1))
    if above is not None:
        return f"the channel {above} builds on it"
    if session.scalar(select(exists().where(JobRow.channel == name, ACTIVE))):
        return "a job works for it"
    return ""


def _channel(row: ChannelRow) -> Channel:
    return Channel(
        name=row.name,
        base=row.base,
        upstream=UpstreamPolicy(row.upstream),
        kinds=UpstreamKinds(row.upstream_kinds),
        projects=tuple(row.upstream_projects),
        min_age=row.min_age,
        made_at=row.made_at,
    )
