"""The options that say what an image is: the fields of a spec file, one by one; they win over it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from wheelyard.errors import InputError

Spec = Annotated[
    Path | None,
    typer.Option(
        "--spec",
        "-s",
        help="TOML file with the fields of an image, or a pyproject.toml with [tool.wheelyard.image]; "
        "options go before it.",
        metavar="FILE",
    ),
]
App = Annotated[
    Path | None,
    typer.Option(
        "--app",
        help="The application: a folder, whose .dockerignore is followed, or its wheel (.whl).",
        metavar="DIR|WHEEL",
    ),
]
Packages = Annotated[
    list[str] | None,
    typer.Option(
        "--package", "--packages", "-p",
        help="Debian package, of which the files are taken that load; may be repeated.",
        metavar="NAME",
    ),
]  # fmt: skip
WholePackages = Annotated[
    list[str] | None,
    typer.Option(
        "--whole-package", "--whole-packages",
        help="Debian package with all its files and all that it depends on; may be repeated.",
        metavar="NAME",
    ),
]  # fmt: skip
Natives = Annotated[
    list[str] | None,
    typer.Option(
        "--native", "--natives", help="Native artifact of a recipe; may be repeated.", metavar="NAME"
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        help="slim, debug (with a shell), or REPOSITORY@sha256:… of a registry.  [default: slim]",
        metavar="BASE",
    ),
]
Entrypoint = Annotated[
    str | None,
    typer.Option(
        "--entrypoint",
        help="What the container runs, as one word list: 'python3 main.py'. Empty means Python.",
        metavar="WORDS",
    ),
]
Command = Annotated[
    str | None,
    typer.Option(
        "--command", "--cmd", help="Arguments after the entry point, as one word list.", metavar="WORDS"
    ),
]
Environment = Annotated[
    list[str] | None,
    typer.Option(
        "--environment", "--env", "-e", help="Variable of the image; may be repeated.", metavar="K=V"
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", "--labels", "-l", help="Label of the image; may be repeated.", metavar="K=V"),
]
Workdir = Annotated[
    str | None, typer.Option("--workdir", help="Working folder.  [default: /app]", metavar="PATH")
]
User = Annotated[
    str | None,
    typer.Option("--user", help="User and group that it runs as.  [default: 1000:1000]", metavar="UID:GID"),
]
AllowRoot = Annotated[bool, typer.Option("--allow-root", help="User 0 is meant.")]
Ports = Annotated[
    list[str] | None,
    typer.Option("--port", "--ports", help="Port that it listens on; may be repeated.", metavar="N[/tcp]"),
]
Healthcheck = Annotated[
    str | None,
    typer.Option(
        "--healthcheck",
        help="What tells whether it is well, as one word list: 'python3 /app/probe.py'.",
        metavar="WORDS",
    ),
]
HealthInterval = Annotated[
    str | None,
    typer.Option("--health-interval", help="Time between two health checks, such as 30s.", metavar="TIME"),
]
HealthTimeout = Annotated[
    str | None,
    typer.Option("--health-timeout", help="Time that a health check may take.", metavar="TIME"),
]
HealthStartPeriod = Annotated[
    str | None,
    typer.Option(
        "--health-start-period", help="Time after the start in which failures do not count.", metavar="TIME"
    ),
]
HealthRetries = Annotated[
    int | None,
    typer.Option("--health-retries", help="Failures in a row that make it unhealthy.", metavar="N"),
]
Format = Annotated[
    str | None, typer.Option("--format", help="oci or docker.  [default: oci]", metavar="FORMAT")
]
Compression = Annotated[
    str | None,
    typer.Option("--compression", help="Of the layers: gzip or zstd.  [default: gzip]", metavar="KIND"),
]
Bytecode = Annotated[
    bool | None,
    typer.Option("--bytecode/--no-bytecode", help="Compiled Python files in the layers of wheels."),
]
LayerLimit = Annotated[
    int | None,
    typer.Option(
        "--layer-limit",
        help="Layers at the most; small wheels share one above it.  [default: 60]",
        metavar="N",
    ),
]
SizeBudget = Annotated[
    str | None,
    typer.Option("--size-budget", help="What all files may add up to: '250 MB' or 160MiB.", metavar="SIZE"),
]
OptionalLibraries = Annotated[
    list[str] | None,
    typer.Option(
        "--optional-library", "--optional-libraries",
        help="Soname that may stay missing; may be repeated.",
        metavar="SONAME",
    ),
]  # fmt: skip
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", "--tags",
        help="Name of the image, in the service's registry and where it is loaded or written; one with a "
        "registry's host only there. May be repeated.",
        metavar="NAME:TAG",
    ),
]  # fmt: skip
SmokeTest = Annotated[
    bool | None,
    typer.Option("--smoke-test/--no-smoke-test", help="Start the image once, before it is published."),
]
Check = Annotated[
    str | None,
    typer.Option(
        "--check",
        help="Python source that the smoke test runs; @FILE reads it from a file.",
        metavar="CODE|@FILE",
    ),
]
Policy = Annotated[
    Path | None,
    typer.Option("--policy", help="TOML file with what must hold of the image.", metavar="FILE"),
]


def is_of_other_registry(tag: str) -> bool:
    """Whether a name begins with a registry's host: docker tells it by a dot, a port, or `localhost`."""
    host, slash, _ = tag.partition("/")
    return bool(slash) and (host == "localhost" or "." in host or ":" in host)


def own_tags(tags: Sequence[str] | None) -> list[str] | None:
    """The names among these that are the service's own, whole; None where there is none."""
    own = [
        tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"
        for tag in tags or ()
        if not is_of_other_registry(tag)
    ]
    return own or None


def paths(files: Sequence[Path] | None) -> list[str] | None:
    """Files of an option, as a spec file has them; None where none is given."""
    return [str(file) for file in files] if files else None


def run_fields(
    entrypoint: str | None,
    command: str | None,
    environment: Sequence[str] | None,
    labels: Sequence[str] | None,
) -> dict[str, Any]:
    """The fields of options that are written in another way than in a file; None where one is not given.

    :raises InputError: one can't be read.
    """
    return {
        "entrypoint": None if entrypoint is None else _words(entrypoint, "--entrypoint"),
        "command": None if command is None else _words(command, "--command"),
        "environment": _pairs(environment, "--env"),
        "labels": _pairs(labels, "--label"),
    }


def health_fields(
    test: str | None,
    interval: str | None,
    timeout: str | None,
    start_period: str | None,
    retries: int | None,
) -> dict[str, Any] | None:
    """The fields of a health check that the options give; None where they give none.

    :raises InputError: one can't be read.
    """
    given = {
        "test": None if test is None else _words(test, "--healthcheck"),
        "interval": _seconds(interval, "--health-interval"),
        "timeout": _seconds(timeout, "--health-timeout"),
        "start_period": _seconds(start_period, "--health-start-period"),
        "retries": retries,
    }
    return {name: value for name, value in given.items() if value is not None} or None


def check_source(text: str | None) -> str | None:
    """The source that `--check` gives, or the content of the file that it names.

    :raises InputError: the file can't be read.
    """
    if text is None or not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{text[1:]} can't be read", found=str(error), do="name a file of Python") from error


def merged(file: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What options say over what a file says; tables are merged by name, everything else is replaced.

    :param options: None where one is not given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    tables = ("environment", "labels", "variants", "limits", "healthcheck")
    return {
        **file,
        **{
            name: {**(file.get(name) or {}), **value} if name in tables else value
            for name, value in given.items()
        },
    }


def _words(text: str, option: str) -> list[str]:
    if text.lstrip().startswith("["):
        # As a Dockerfile's exec form has it.
        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(
            f"{option} can't be split into words", expected="balanced quotes", found=text
        ) from error


def _pairs(pairs: Sequence[str] | None, option: str) -> dict[str, str] | None:
    if not pairs:
        return None
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise InputError(f"{option} {pair!r} is not a name and a value", expected=f"{option} NAME=VALUE")
        found[name] = value
    return found


def _seconds(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    from wheelyard.limits import parse_seconds

    try:
        return float(parse_seconds(text))
    except ValueError as error:
        raise InputError(
            f"{option} has a value that it can't have", expected=str(error), found=text
        ) from error
