"""What a benchmark runs against: a Redis and an S3 server of its own, and the front door as a process."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from tests.conftest import running, running_s3
from wheelyard.settings import Settings
from wheelyard.stack.program import Program
from wheelyard.stack.servers import Ports, redis_address, redis_program

ROOT = Path(__file__).parents[1]


@contextmanager
def real_servers(folder: Path) -> Iterator[Settings]:
    """A Redis and an S3 server; the settings of processes on them, with a token drawn for the occasion."""
    ports, password = Ports.draw(), secrets.token_urlsafe(16)
    with (
        running(redis_program(folder / "redis", folder / "run", ports, password), ports.redis, folder),
        running_s3(folder) as s3,
    ):
        yield s3.settings().model_copy(
            update={
                "redis_url": redis_address(ports, password),
                "token": SecretStr(secrets.token_urlsafe(16)),
            }
        )


def front_door(name: str, settings: Settings, port: int) -> Program:
    """The front door over those settings, as in any stack.

    :param name: of the program, in its log.
    """
    ours = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "STORE_URL": settings.store_url,
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_ACCESS_KEY": settings.s3_access_key,
        "S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "DATA_DIR": str(settings.data_dir),
        "TOKEN": settings.token.get_secret_value(),
        "SERVE_FILES": settings.serve_files,
        "PORT": str(port),
    }
    return Program(
        name=name,
        argv=(sys.executable, "-m", "builder_service"),
        environment={**{f"WHEELYARD_{key}": value for key, value in ours.items()}, "PYTHONPATH": str(ROOT)},
        cwd=settings.data_dir,
    )
