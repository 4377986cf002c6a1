"""One wait for a lock: look at the index, let be built what it lacks, and look again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from wheelyard.answers import JobAnswer
from wheelyard.cli.build_command import asker_fields
from wheelyard.cli.error_text import write_error
from wheelyard.cli.exits import DONE, exit_code_of_job
from wheelyard.cli.follow_job import follow_to_end, log_owner
from wheelyard.cli.lock_report import (
    install_line,
    standings_document,
    summary,
    write_index_lines,
    write_standings,
)
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import write_json, write_line
from wheelyard.client import Client
from wheelyard.errors import InfrastructureError, InputError
from wheelyard.index_address import index_url
from wheelyard.lock_additions import LockAdditions
from wheelyard.lock_standing import LineStanding, PythonRoom, Standing
from wheelyard.user_lock import UserLock, read_user_lock

_LOOKS_AT_ONCE = 8
# Several front doors may keep a page for a moment before they hear that it changed.
_SETTLE_SECONDS = 15.0
_SETTLE_PAUSE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWait:
    """What one command waits for.

    :param files: the lock's files, as pip shall be told of them.
    :param as_json: one document at the end and nothing else.
    :param limit: moment of `time.monotonic` at which the waiting ends; None for never.
    """

    client: Client
    lock: UserLock
    files: Sequence[Path]
    toolchain: str
    channel: str
    batch: bool
    style: ProgressStyle
    as_json: bool
    limit: float | None

    def tell(self) -> int:
        """Say what is missing, and change nothing."""
        standings = self._look(self._room())
        if self._for_programs:
            self._write_document(standings, "")
            return DONE
        write_standings(standings)
        write_line(summary(standings))
        return DONE

    def run(self, write_lock: Path | None) -> int:
        """Wait; gives the exit code.

        :param write_lock: where the lock with the index's own hashes goes; None writes none.
        :raises InputError: the lock's hashes allow no wheel that the index has.
        :raises TimedOut: the limit came first.
        """
        room = self._room()
        standings = self._look(room)
        self._warn(standings, write_lock)
        missing = _of(standings, Standing.MISSING)
        # A second time, anew: an earlier build of the same may be the answer, and its wheels be gone since.
        for refresh in (False, True):
            if not missing:
                break
            asked = self._ask(standings, refresh=refresh)
            job = follow_to_end(self.client, asked, self.style, limit=self.limit)
            if not job.succeeded:
                write_error(job.failure(), as_json=self._for_programs, log_of=log_owner(job))
                return exit_code_of_job(job)
            standings = self._look(room) if asked.ended else self._settled(room)
            missing = _of(standings, Standing.MISSING)
        if missing:
            raise self._not_shown(missing)
        self._finish(standings, write_lock)
        return DONE

    @property
    def _for_programs(self) -> bool:
        return self.as_json or self.style is ProgressStyle.JSON

    def _room(self) -> PythonRoom:
        return PythonRoom.of_toolchain(self.client.toolchain(self.toolchain))

    def _look(self, room: PythonRoom) -> list[LineStanding]:
        """How each line stands now; the pages are asked for at the same time."""
        names = sorted({pin.project for pin in self.lock.pins if room.needs(pin.marker)})
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            pages = pool.map(lambda name: self.client.offers(name, self.channel), names)
            offered = dict(zip(names, pages, strict=True))
        return [LineStanding.of(pin, offered.get(pin.project, ()), room) for pin in self.lock.pins]

    def _settled(self, room: PythonRoom) -> list[LineStanding]:
        """The look after a build: what was published is shown by every page within moments."""
        until = time.monotonic() + _SETTLE_SECONDS
        while True:
            standings = self._look(room)
            if not _of(standings, Standing.MISSING) or time.monotonic() > until:
                return standings
            time.sleep(_SETTLE_PAUSE)

    def _ask(self, standings: Sequence[LineStanding], *, refresh: bool) -> JobAnswer:
        """Ask for what is missing; the rest of the lock decides the versions of what that needs."""
        missing = {one.line.pin for one in _of(standings, Standing.MISSING)}
        needed = {one.line.pin for one in standings if one.standing is not Standing.NOT_NEEDED}
        request = {
            "requirements": sorted(missing),
            "constraints": sorted(needed - missing),
            "toolchain": self.toolchain,
            "channel": self.channel,
            "refresh": refresh,
        }
        return self.client.build(request | asker_fields(batch=self.batch, webhook=""))

    def _warn(self, standings: Sequence[LineStanding], write_lock: Path | None) -> None:
        """Before hours of work: what the end will be, where that is known."""
        missing = _of(standings, Standing.MISSING)
        if self.style is not ProgressStyle.QUIET:
            self._note(f"{summary(standings)} in {index_url(self.client.url, self.channel)}")
        hashed = [one.line.project for one in missing if one.line.digests]
        if hashed and write_lock is None:
            self._note(
                f"the lock pins {_names(hashed)} by hash: a wheel that is built here has another one than "
                "upstream's; --write-lock FILE will write a lock that allows it"
            )

    def _note(self, text: str) -> None:
        if self.style is ProgressStyle.JSON:
            write_json_line({"type": "note", "text": text})
        else:
            sys.stderr.write(f"{text}\n")

    def _finish(self, standings: Sequence[LineStanding], write_lock: Path | None) -> None:
        """The last check, the lock, and the line that installs it."""
        files, lock = list(self.files), self.lock
        if write_lock is not None:
            additions = LockAdditions.of(self.client, standings)
            text = lock.with_digests(additions.digests)
            lock = read_user_lock([(str(write_lock), text)])
            write_lock.write_text(text, encoding="utf-8")
            files = [write_lock]
        else:
            others = _of(standings, Standing.OTHER_BYTES)
            if others:
                raise _other_bytes(others)
        line = install_line(index_url(self.client.url, self.channel), files, lock, hashed=lock.hashed)
        if self._for_programs:
            self._write_document(standings, line, written=write_lock)
            return
        count = sum(one.standing is not Standing.NOT_NEEDED for one in standings)
        write_line(f"all {count} can be installed from {index_url(self.client.url, self.channel)}")
        write_index_lines(lock)
        write_line(line)

    def _write_document(
        self, standings: Sequence[LineStanding], line: str, written: Path | None = None
    ) -> None:
        document = {
            "type": "result",
            "index": index_url(self.client.url, self.channel),
            "channel": self.channel,
            "toolchain": self.toolchain,
            "requirements": standings_document(standings),
            "written": "" if written is None else str(written),
            "install": line,
        }
        if self.as_json:
            write_json(document)
        else:
            write_json_line(document)

    def _not_shown(self, missing: Sequence[LineStanding]) -> InfrastructureError:
        return InfrastructureError(
            "the build succeeded, and the index still offers no wheel of its versions that fits",
            expected=f"in {index_url(self.client.url, self.channel)}, for the toolchain {self.toolchain}: "
            + ", ".join(one.line.pin for one in missing),
            found="pages without them",
            do="see `wheelyard cache ls PROJECT`, and whether the channel shows them",
            projects=[one.line.project for one in missing],
        )


def _of(standings: Sequence[LineStanding], standing: Standing) -> list[LineStanding]:
    return [one for one in standings if one.standing is standing]


def _names(projects: Sequence[str]) -> str:
    shown = ", ".join(projects[:5])
    return shown if len(projects) <= 5 else f"{shown} and {len(projects) - 5} more"


def _other_bytes(others: Sequence[LineStanding]) -> InputError:
    names = [one.line.project for one in others]
    return InputError(
        f"the lock pins {_names(names)} by hashes that no wheel of the channel has",
        expected="; ".join(
            f"{one.line.origin}: one of {len(one.line.digests)} hashes for {one.line.pin}" for one in others
        ),
        found="; ".join(f"{file.filename} {file.digest}" for one in others for file in one.wheels),
        do="the lock was made with another index's wheels, and a wheel that is built here has other bytes: "
        "run the same command with `--write-lock FILE`, and install that lock",
        projects=names,
    )
