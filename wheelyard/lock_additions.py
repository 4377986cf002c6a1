"""Hashes of the index's own wheels for a lock of elsewhere: only those that follow from the lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, InputError
from wheelyard.lock_standing import LineStanding, OfferedFile, Standing
from wheelyard.user_lock import PinnedLine


@dataclass(frozen=True, slots=True, kw_only=True)
class LockAdditions:
    """What a lock may allow beside what it allows already.

    :param digests: for each line that gets some.
    """

    digests: dict[PinnedLine, frozenset[Digest]]

    @classmethod
    def of(cls, client: Client, standings: Iterable[LineStanding]) -> LockAdditions:
        """The hashes of wheels for lines without any, or for lines that have the hash of their source.

        Each wheel is fetched and its hash is counted, so that what is written is what pip will get.

        :raises InputError: a line has hashes, and no wheel comes from a source that has one of them.
        :raises ForeignOutputRefused: the index gives other bytes than it says.
        """
        found: dict[PinnedLine, frozenset[Digest]] = {}
        strangers: list[LineStanding] = []
        for one in standings:
            wheels = list(_to_add(client, one))
            if wheels:
                found[one.line] = frozenset(_counted(client, wheel) for wheel in wheels)
            elif one.standing is Standing.OTHER_BYTES:
                strangers.append(one)
        if strangers:
            raise _of_unknown_source(strangers)
        return cls(digests=found)


def _to_add(client: Client, one: LineStanding) -> Iterator[OfferedFile]:
    if one.standing is Standing.READY and not one.line.digests:
        yield from one.wheels
    elif one.standing is Standing.OTHER_BYTES:
        keys = {wheel.digest: wheel.build_key for wheel in client.wheels(one.line.project)}
        for wheel in one.wheels:
            key = keys.get(wheel.digest, "") if wheel.digest is not None else ""
            record = client.record(key) if key else None
            if record is not None and Digest.parse(record["inputs"]["sdist"]) in one.line.digests:
                yield wheel


def _counted(client: Client, wheel: OfferedFile) -> Digest:
    found = client.file_digest(wheel.url)
    if found != wheel.digest:
        raise ForeignOutputRefused(
            f"the index gives other bytes for {wheel.filename} than its page says",
            expected=str(wheel.digest),
            found=str(found),
            do="run `wheelyard cache verify` on the service, and see that no proxy changes what it sends",
        )
    return found


def _of_unknown_source(strangers: list[LineStanding]) -> InputError:
    return InputError(
        "the index has wheels that do not follow from the lock's hashes",
        expected="a wheel that was built here from an sdist whose hash is in the lock",
        found="; ".join(f"{one.line.pin} ({one.line.origin})" for one in strangers),
        do="lock with the hashes of the sdists, as `pip-compile --generate-hashes` does without "
        "`--only-binary`; or, where these wheels are meant, lock against this index",
        projects=[one.line.project for one in strangers],
    )
