"""What a stack consists of: the programs, and the settings that they find in their environment."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

import wheelyard
from wheelyard.errors import InputError
from wheelyard.settings import Settings
from wheelyard.stack.program import Program, Stage
from wheelyard.stack.servers import BUCKET, Ports, redis_address, redis_program, s3_program
from wheelyard.stack.stack_folder import StackFolder

_PLAN_CONCURRENCY = 4
_HAND_BACK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Everything that one `up` runs.

    :param settings: complete: what was left open is filled in.
    :param environment: the whole environment of every program.
    :param servers: S3 and Redis, as far as they were not given.
    :param migration: runs to its end before the rooms start.
    :param rooms: the front door, the workers and the relay.
    """

    settings: Settings
    environment: Mapping[str, str]
    ports: Ports
    servers: tuple[Program, ...]
    migration: Program
    rooms: tuple[Program, ...]


def assemble(settings: Settings, folder: StackFolder) -> Assembly:
    """Fill in what the settings leave open, and write every program's command line.

    :raises InputError: an S3 server was given without a bucket on it, or a server is not installed.
    """
    drawn, ports = folder.secrets(), folder.ports()
    filled: dict[str, object] = {
        "data_dir": folder.root,
        # Programs run in another folder than this one.
        "recipes_dir": (settings.recipes_dir or folder.recipes).absolute(),
        "database_url": settings.database_url or f"sqlite:///{folder.root / 'wheelyard.db'}",
    }
    if not settings.token.get_secret_value():
        filled["token"] = SecretStr(drawn.token)
    servers = []
    if not settings.store_url:
        if settings.s3_endpoint:
            raise InputError(
                "WHEELYARD_S3_ENDPOINT names an S3 server, but no bucket is named",
                expected="WHEELYARD_STORE_URL=s3://BUCKET/PREFIX beside it",
                do="set it, or unset WHEELYARD_S3_ENDPOINT to let `wheelyard up` start its own server",
            )
        filled |= {
            "store_url": f"s3://{BUCKET}",
            "s3_endpoint": f"http://127.0.0.1:{ports.s3}",
            "s3_region": "us-east-1",
            "s3_access_key": drawn.s3_access_key,
            "s3_secret_key": SecretStr(drawn.s3_secret_key),
        }
        servers.append(s3_program(folder.s3, folder.run, ports, drawn.s3_access_key, drawn.s3_secret_key))
    if not settings.redis_url:
        filled["redis_url"] = redis_address(ports, drawn.redis_password)
        servers.append(redis_program(folder.redis, folder.run, ports, drawn.redis_password))
    complete = settings.model_copy(update=filled)
    return Assembly(
        settings=complete,
        environment=_environment(complete),
        ports=ports,
        servers=tuple(servers),
        migration=_python(folder, "migrations", "wheelyard.jobs.migrate"),
        rooms=_rooms(complete, folder),
    )


def _rooms(settings: Settings, folder: StackFolder) -> tuple[Program, ...]:
    plans = ("--queues", "plans", "--concurrency", str(_PLAN_CONCURRENCY))
    compiles = ("--queues", "compile", "--concurrency", str(settings.compile_slots))
    # Jobs may end in peace, and what does not is handed back, containers and all.
    seconds = settings.drain_seconds + _HAND_BACK_SECONDS
    return (
        _python(folder, "api", "builder_service"),
        _python(folder, "plans", "worker", *plans, stage=Stage.WORKERS, end_seconds=seconds),
        _python(folder, "compile", "worker", *compiles, stage=Stage.WORKERS, end_seconds=seconds),
        _python(folder, "relay", "worker.relay", stage=Stage.WORKERS),
    )


def _python(
    folder: StackFolder,
    name: str,
    module: str,
    *arguments: str,
    stage: Stage = Stage.FRONT,
    end_seconds: float = 0.0,
) -> Program:
    # -P: what lies in the folder that it runs in must not be imported.
    argv = (sys.executable, "-P", "-m", module, *arguments)
    return Program(name=name, argv=argv, cwd=folder.run, stage=stage, end_seconds=end_seconds)


def _environment(settings: Settings) -> dict[str, str]:
    # The programs get this process's own surroundings (PATH, certificates), and every setting by name.
    environment = dict(os.environ)
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            environment[f"WHEELYARD_{name.upper()}"] = text
    environment["PYTHONUNBUFFERED"] = "1"
    source = str(Path(wheelyard.__file__).resolve().parents[1])
    if source not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        # Run from a checkout: the rooms lie beside us and need not be installed.
        others = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = source + (os.pathsep + others if others else "")
    return environment
