"""The commands of this machine: up, down, doctor, version."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from wheelyard import __version__
from wheelyard.cli.exits import DONE, INFRASTRUCTURE
from wheelyard.cli.session import Session, session_of
from wheelyard.cli.tables import write_json, write_line
from wheelyard.errors import InfrastructureError, InputError, WheelyardError

_DOCTOR_SECONDS = 600.0
DataDir = Annotated[
    Path | None,
    typer.Option("--data", help="Folder that holds everything (WHEELYARD_DATA_DIR).", metavar="DIR"),
]


def up(
    context: typer.Context,
    data: DataDir = None,
    port: Annotated[
        int | None,
        typer.Option(help="TCP port that the service listens on (WHEELYARD_PORT).", min=1, max=65535),
    ] = None,
) -> None:
    """Run the whole thing on this machine, in the foreground, until Ctrl-C.

    API, worker, relay, a Redis-protocol server and an S3 server, on loopback, with their data in one folder.
    Says the address, the token and the lines for pip and uv. Other commands on this machine find it by
    themselves.

    \b
    Examples:
      wheelyard up
      wheelyard up --data /srv/wheelyard --port 9000
    """
    from wheelyard.cli.extras import server_extra

    settings = session_of(context).settings(data_dir=data, port=port)
    with server_extra():
        from wheelyard.stack import run_stack
    raise typer.Exit(run_stack(settings))


def down(context: typer.Context, data: DataDir = None) -> None:
    """End the stack that `up` started from another terminal, and what a killed one left behind.

    \b
    Examples:
      wheelyard down
    """
    from wheelyard.cli.extras import server_extra

    settings = session_of(context).settings(data_dir=data)
    with server_extra():
        from wheelyard.stack import stop_stack
    raise typer.Exit(stop_stack(settings))


def version(as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False) -> None:
    """Say which version this is."""
    if as_json:
        write_json({"wheelyard": __version__, "python": sys.version.split()[0]})
    else:
        write_line(f"wheelyard {__version__} (Python {sys.version.split()[0]})")


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Say what this machine can and can't do, and whether the service answers.

    Proves each property of the sandbox in a real container: no network, no capability, no writable root.
    Where something is missing it says what to do. Ends with 3 where builds can't run here, or where a service
    is known and silent.

    \b
    Examples:
      wheelyard doctor
      wheelyard doctor --json
    """
    session = session_of(context)
    service, error = _look_at_service(session)
    if not as_json:
        _write_service(service["url"], error)
    code, machine = _look_at_machine(as_json=as_json)
    if as_json:
        write_json({"service": service, "machine": machine})
    silent = error is not None and bool(service.get("url"))
    raise typer.Exit(code or (INFRASTRUCTURE if silent else DONE))


def _look_at_service(session: Session) -> tuple[dict[str, Any], WheelyardError | None]:
    from wheelyard.cli.service_address import find_service

    url = ""
    try:
        address = find_service(session.settings())
        url = address.url
        with session.client() as client:
            return {"url": url, "answers": True, "readiness": client.health()}, None
    except InputError:
        raise
    except WheelyardError as error:
        return {"url": url, "answers": False, "error": error.to_document()}, error


def _write_service(url: str, error: WheelyardError | None) -> None:
    """A line in the form of the worker's own findings, which follow it."""
    if error is None:
        write_line(f"ok      service: {url} answers")
    elif not url:
        write_line("none    service: none is known here; `wheelyard up` starts one")
    else:
        write_line(f"failed  service: {error.failed}" + (f", {error.found}" if error.found else ""))
        write_line(f"        next: {error.do}")
    sys.stdout.flush()


def _look_at_machine(*, as_json: bool) -> tuple[int, Any]:
    """Run the worker's own doctor; its exit status and, for JSON, what it said."""
    if importlib.util.find_spec("worker") is None or importlib.util.find_spec("worker.doctor") is None:
        missing = InfrastructureError(
            "this is a client only; the machine can't be looked at",
            do="pip install 'wheelyard[server]' to build on this machine",
        )
        if not as_json:
            write_line(missing.failed + "; " + missing.do)
        return DONE, {"error": missing.to_document()}
    argv = [sys.executable, "-m", "worker.doctor", *(["--json"] if as_json else [])]
    output = ""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, errors="replace") as running:
        limit = threading.Timer(_DOCTOR_SECONDS, running.kill)
        limit.start()
        try:
            for line in running.stdout or ():
                output += line
                if not as_json:
                    write_line(line)
                    sys.stdout.flush()
            code = running.wait()
        finally:
            limit.cancel()
            running.kill()
    if code < 0:
        raise InfrastructureError(
            "the look at this machine did not end by itself",
            expected=f"an end within {_DOCTOR_SECONDS:.0f} s",
            found=f"ended by signal {-code}",
            do="see whether the container engine hangs: `podman ps`",
        )
    code = code if code in range(5) else INFRASTRUCTURE
    if not as_json:
        return code, None
    try:
        return code, json.loads(output)
    except ValueError as error:
        raise InfrastructureError("worker.doctor did not say what it found", found=output[-300:]) from error
