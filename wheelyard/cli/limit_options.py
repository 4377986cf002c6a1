"""The options that set limits of a build: --memory, --cpus, --disk, --timeout."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.errors import InputError

Memory = Annotated[
    str, typer.Option("--memory", help="Memory of each build, such as 8G; files in it count.", metavar="SIZE")
]
Cpus = Annotated[float, typer.Option("--cpus", help="Cores of each build at the most.", metavar="N", min=0)]
Disk = Annotated[
    str, typer.Option("--disk", help="Space for sources and objects, such as 20G.", metavar="SIZE")
]
Timeout = Annotated[
    str, typer.Option("--timeout", help="Time of each compile, such as 90m or 4h.", metavar="TIME")
]


def limits_field(memory: str, cpus: float, disk: str, timeout: str) -> dict[str, Any]:
    """The field `limits` of a request's body; none where nothing is asked.

    :raises InputError: an option has a value that it can't have.
    """
    # Loaded when it is needed: `--help` answers sooner without.
    from pydantic import ValidationError

    from wheelyard.limits import AskedLimits

    given = {"memory": memory, "cpus": cpus, "disk": disk, "seconds": timeout}
    asked = {name: value for name, value in given.items() if value}
    try:
        return {"limits": AskedLimits.model_validate(asked).to_document()} if asked else {}
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("seconds", "timeout")
        raise InputError(
            f"--{name} has a value that it can't have",
            expected=str(first["msg"]).removeprefix("Value error, "),
            found=repr(first.get("input")),
        ) from error
