"""The data folder of a stack: where its parts lie, who runs on it, and what it keeps secret."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wheelyard.errors import Conflict, InputError
from wheelyard.stack.ports import has_free_pair
from wheelyard.stack.processes import Identity
from wheelyard.stack.servers import Ports, write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What a stack draws once and keeps: 256 bits for each that lets somebody in."""

    token: str = field(repr=False)
    s3_access_key: str
    s3_secret_key: str = field(repr=False)
    redis_password: str = field(repr=False)

    @classmethod
    def draw(cls) -> Secrets:
        """New ones."""
        return cls(
            token=secrets.token_urlsafe(32),
            s3_access_key=secrets.token_hex(10),
            s3_secret_key=secrets.token_urlsafe(32),
            redis_password=secrets.token_urlsafe(32),
        )


@dataclass(frozen=True, slots=True)
class StackFolder:
    """One data folder. Only its owner may look into what is made here.

    :param root: the folder, absolute.
    """

    root: Path

    @property
    def s3(self) -> Path:
        """Bytes of the S3 server."""
        return self.root / "s3"

    @property
    def redis(self) -> Path:
        """Bytes of the Redis-protocol server."""
        return self.root / "redis"

    @property
    def log(self) -> Path:
        """One log for each program."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """What holds only while an `up` runs, but for the ports, which the next one likes to have again."""
        return self.root / "run"

    @property
    def recipes(self) -> Path:
        """The team's recipes, where no other folder is named for them."""
        return self.root / "recipes"

    @property
    def lock_file(self) -> Path:
        """Locked by the `up` that runs; says which process that is."""
        return self.run / "lock"

    @property
    def client_file(self) -> Path:
        """Address and token, for clients of this user on this machine."""
        return self.run / "client.json"

    @property
    def children_file(self) -> Path:
        """Who was started, so that the next `up` can end what this one could not."""
        return self.run / "children.json"

    def prepare(self) -> None:
        """Make the folders, and show that they can be written.

        :raises InputError: they can't.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for folder in (self.s3, self.redis, self.log, self.run):
                folder.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.root, self.run):
                probe = folder / f".probe-{secrets.token_hex(8)}"
                probe.touch()
                probe.unlink()
        except OSError as error:
            raise InputError(
                f"the data folder {self.root} can't be written",
                found=f"{error.strerror} at {error.filename}",
                do="make it yours, or name another one in WHEELYARD_DATA_DIR",
            ) from error

    def secrets(self) -> Secrets:
        """What was drawn at the first time, in a file that only its owner may read.

        :raises InputError: the file can't be read.
        """
        path = self.root / "secrets.json"
        try:
            return Secrets(**json.loads(path.read_text()))
        except FileNotFoundError:
            drawn = Secrets.draw()
            write_private(path, json.dumps(asdict(drawn), indent=1) + "\n")
            return drawn
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} can't be read",
                found=str(error),
                do="delete it; the next `wheelyard up` draws new keys, and no build is lost",
            ) from error

    def ports(self) -> Ports:
        """The ports of the last time where they are free, for SeaweedFS names a folder by one; else new."""
        kept = self.last_ports()
        if kept is not None and all(map(has_free_pair, kept.to_document().values())):
            return kept
        drawn = Ports.draw()
        write_private(self._ports_file, json.dumps(drawn.to_document()))
        return drawn

    def last_ports(self) -> Ports | None:
        """The ports of the last time, free or not; `None` where there was none."""
        try:
            return Ports(**json.loads(self._ports_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @property
    def _ports_file(self) -> Path:
        return self.run / "ports.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel lets go of it when the process ends, however it ends.

        :raises Conflict: another process holds it.
        """
        with self.lock_file.open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self.holder()
                raise Conflict(
                    f"a stack runs on {self.root} already",
                    found=f"process {holder.pid}" if holder else "another process holds its lock",
                    do="use it, end it with `wheelyard down`, or name another folder in WHEELYARD_DATA_DIR",
                ) from None
            own = Identity.of(os.getpid())
            stream.truncate(0)
            stream.write(json.dumps(own.to_document() if own else {}))
            stream.flush()
            try:
                yield
            finally:
                stream.truncate(0)

    def holder(self) -> Identity | None:
        """The `up` that runs on this folder; `None` where none does."""
        try:
            identity = Identity.from_document(json.loads(self.lock_file.read_text()))
        except (OSError, ValueError, KeyError):
            return None
        return identity if identity.is_alive() else None
