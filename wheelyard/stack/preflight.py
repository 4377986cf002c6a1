"""What must be true before anything starts: each check says plainly what is wrong and what to do."""

from __future__ import annotations

import importlib.util
import shutil

from wheelyard.errors import DiskFull, EngineFailed, InfrastructureError, InputError
from wheelyard.settings import Settings
from wheelyard.stack.ports import holder_of, is_free
from wheelyard.stack.servers import redis_binary, s3_binary
from wheelyard.stack.stack_folder import StackFolder

_MODULES = ("alembic", "boto3", "celery", "fastapi", "kombu", "redis", "sqlalchemy", "structlog", "uvicorn")


def check_before_lock(settings: Settings, folder: StackFolder) -> None:
    """What can be known without holding the data folder.

    :raises InputError: an extra is not installed, or the data folder can't be written.
    :raises InfrastructureError: there is no container engine, or too little disk.
    """
    check_extras(settings)
    check_engine(settings)
    folder.prepare()
    check_disk(settings, folder)


def check_extras(settings: Settings) -> None:
    """The packages that a server needs and a client does not.

    :raises InputError: some are not installed.
    """
    missing = [name for name in _MODULES if not _is_installed(name)]
    if missing:
        raise InputError(
            "the one-machine stack is not installed",
            found=f"no {', no '.join(missing)}",
            do="pip install 'wheelyard[server]'",
        )
    if not settings.store_url:
        s3_binary()
    if not settings.redis_url:
        redis_binary()


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:
        # It is imported already, by a loader that leaves no spec, as Celery's lazy one does.
        return True


def check_engine(settings: Settings) -> None:
    """A container engine's command.

    :raises EngineFailed: there is none.
    """
    wanted = ("podman", "docker") if settings.engine == "auto" else (settings.engine,)
    if not any(map(shutil.which, wanted)):
        raise EngineFailed(
            "there is no container engine",
            expected=f"{' or '.join(wanted)} on the PATH",
            do="apt-get install podman runc, or set WHEELYARD_ENGINE to the one that is there",
        )


def check_disk(settings: Settings, folder: StackFolder) -> None:
    """Room for toolchains and builds.

    :raises DiskFull: there is less than `settings.min_free_disk` bytes.
    """
    free = shutil.disk_usage(folder.root).free
    if free < settings.min_free_disk:
        raise DiskFull(
            f"there is too little room in {folder.root}",
            expected=f"{settings.min_free_disk / (1 << 30):.1f} GiB free",
            found=f"{free / (1 << 30):.1f} GiB",
            do="free some, name another folder in WHEELYARD_DATA_DIR, or lower WHEELYARD_MIN_FREE_DISK",
        )


def check_port(settings: Settings) -> None:
    """The port that clients know.

    :raises InfrastructureError: somebody listens there.
    """
    if not is_free(settings.port, settings.host):
        raise InfrastructureError(
            f"port {settings.port} of {settings.host} can't be had",
            found=holder_of(settings.port) or "another process has it, or the address is not this machine's",
            do="end it, or choose another port with WHEELYARD_PORT",
        )
