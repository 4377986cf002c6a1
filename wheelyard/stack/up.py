"""`wheelyard up`: the one-machine stack in the foreground, from the first check to the last line."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime

from wheelyard.settings import Settings
from wheelyard.stack.assembly import Assembly, assemble
from wheelyard.stack.preflight import check_before_lock, check_port
from wheelyard.stack.readiness import (
    api_problem,
    check_redis,
    check_store,
    not_ready,
    redis_problem,
    s3_problem,
)
from wheelyard.stack.servers import remove_sockets, write_private
from wheelyard.stack.stack_folder import StackFolder
from wheelyard.stack.supervisor import EndAsked, Supervisor, end_leftovers, signals_held

_SERVER_SECONDS = 60.0
_MIGRATION_SECONDS = 120.0
_API_SECONDS = 90.0


def run_stack(settings: Settings, assembled: Callable[[Settings, StackFolder], Assembly] = assemble) -> int:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP; call it from the main thread.

    :param settings: what they leave open is filled in; a server that they name is not started.
    :param assembled: decides which programs there are.
    :returns: 0 after an end that was asked for.
    :raises InputError: a setting, the data folder or the installation is not fit.
    :raises InfrastructureError: a port, the engine, room or a server is missing, or a program keeps dying.
    """
    folder = StackFolder(settings.data_dir.absolute())
    check_before_lock(settings, folder)
    with signals_held(), folder.locked():
        folder.client_file.unlink(missing_ok=True)
        end_leftovers(folder, say)
        check_port(settings)
        assembly = assembled(settings, folder)
        _check_given(settings)
        supervisor = Supervisor(folder, assembly.environment, secrets.token_hex(8), say)
        try:
            _start(supervisor, assembly, folder, settings)
            while True:
                supervisor.tick(1.0)
        except EndAsked:
            say("ending; once more ends at once")
        finally:
            folder.client_file.unlink(missing_ok=True)
            supervisor.end_all()
            remove_sockets(assembly.ports)
        say("ended")
    return 0


def say(line: str) -> None:
    """Print one line for one event."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {line}", flush=True)


def _check_given(settings: Settings) -> None:
    """Servers that are not ours must answer before anything of ours starts."""
    if settings.redis_url:
        check_redis(settings)
    if settings.store_url:
        for promise in check_store(settings):
            say(f"the store can't do this: {promise.name}: {promise.found}; {promise.costs}")


def _start(supervisor: Supervisor, assembly: Assembly, folder: StackFolder, given: Settings) -> None:
    settings, ports = assembly.settings, assembly.ports
    problems: dict[str, Callable[[], str]] = {
        "s3": lambda: s3_problem(settings, ports),
        "redis": lambda: redis_problem(settings),
    }
    for server in assembly.servers:
        supervisor.start(server)
    for server in assembly.servers:
        _wait(supervisor, folder, server.name, _SERVER_SECONDS, problems[server.name])
    if not given.store_url:
        check_store(settings)
    supervisor.run_to_end(assembly.migration, _MIGRATION_SECONDS)
    say("database ready")
    for room in assembly.rooms:
        supervisor.start(room)
    say(f"started {', '.join(room.name for room in assembly.rooms)}")
    _wait(supervisor, folder, "api", _API_SECONDS, lambda: api_problem(settings))
    token = settings.token.get_secret_value()
    write_private(folder.client_file, json.dumps({"url": settings.effective_public_url, "token": token}))
    _print_ready(settings, folder)


def _wait(
    supervisor: Supervisor, folder: StackFolder, name: str, seconds: float, problem: Callable[[], str]
) -> None:
    start = time.monotonic()
    # Whoever else may answer on its port is not our program.
    while found := problem() if supervisor.runs(name) else "it does not run":
        if time.monotonic() - start > seconds:
            raise not_ready(name, seconds, found, str(folder.log / f"{name}.log"))
        supervisor.tick(0.1)
    say(f"{name} ready ({time.monotonic() - start:.1f} s)")


def _print_ready(settings: Settings, folder: StackFolder) -> None:
    url = settings.effective_public_url
    lines = (
        "",
        f"Wheelyard runs at {url}",
        f"  token  {settings.token.get_secret_value()}",
        f"  pip    pip install --index-url {url}/simple/ PROJECT",
        f"  uv     uv pip install --default-index {url}/simple/ PROJECT",
        f"  logs   {folder.log}",
        "  end    Ctrl-C here, or `wheelyard down`",
        "",
    )
    print("\n".join(lines), flush=True)
