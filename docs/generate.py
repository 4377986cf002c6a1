"""Writes the reference pages that come from the code: settings, command line, HTTP API, schemas.

`python docs/generate.py` writes them; `--check` only says which are not current, for the test.
"""

# ruff: noqa: INP001 - a program, run by its path.

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import SecretStr

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code: change it there, then `make docs`. -->\n"
WORDS = {
    SecretStr: "secret",
    Path: "path",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "yes or no",
}


def settings_page() -> str:
    """Every setting, as `wheelyard.settings.Settings` declares it."""
    from wheelyard.settings import Settings

    lines = [
        "# Settings\n",
        NOTE,
        "Every process reads its settings once, at its start, from the environment; nothing else reads it.",
        "A value that can't be is refused with the variable's name. `wheelyard up` passes what it decided",
        "(ports, keys, the addresses of its own Redis and S3) on to the processes that it starts in the same",
        "variables.\n",
        "| variable | kind | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=False)
        if field.default_factory is not None:
            shown = "`~/.local/share/wheelyard`"
        elif isinstance(default, SecretStr) or default in ("", None):
            shown = "none"
        else:
            shown = f"`{default}`"
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `WHEELYARD_{name.upper()}` | {_kind(field.annotation)} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def _kind(annotation: Any) -> str:
    if annotation in WORDS:
        return WORDS[annotation]
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is not None and arguments and all(isinstance(one, str) for one in arguments):
        return " or ".join(f"`{one}`" for one in arguments)
    return " or ".join(WORDS.get(one, str(one)) for one in arguments)


def command_page() -> str:
    """Every command with its options, as `--help` says them, and the exit codes."""
    from wheelyard.cli.app import app
    from wheelyard.cli.exits import MEANINGS

    root = typer.main.get_command(app)
    lines = [
        "# Command line\n",
        NOTE,
        _prose(root.help or ""),
        "\n## Exit codes\n",
        "| code | meaning |",
        "| --- | --- |",
    ]
    lines += [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    lines += [
        "\n## Global options\n",
        "They stand before the command: `wheelyard --url URL build numpy`.\n",
        *_options(root),
    ]
    for path, command in _walk("wheelyard", root):
        lines += [
            f"\n## {path}\n",
            f"    {_usage(path, command)}\n",
            _prose(command.help or ""),
            "",
            *_options(command),
        ]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _walk(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "default_command"):
            yield f"{path} {name}", command.commands[command.default_command]
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _walk(f"{path} {name}", command)
        else:
            yield f"{path} {name}", command


def _usage(path: str, command: Any) -> str:
    arguments = [_metavar(one) for one in command.params if one.param_type_name == "argument"]
    return " ".join([path, "[OPTIONS]", *arguments])


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _prose(text: str) -> str:
    """Help text as Markdown: paragraphs as they are, what was kept from being wrapped as code."""
    blocks = []
    for block in text.replace("\b\n", "\b").split("\n\n"):
        kept = block.strip("\n")
        if not kept.strip():
            continue
        if kept.startswith("\b") or "\n  " in kept:
            head, _, rest = kept.lstrip("\b").partition("\n")
            code = "\n".join("    " + line.strip() for line in rest.splitlines())
            blocks.append(f"{head}\n\n{code}")
        else:
            blocks.append(kept.strip())
    return "\n\n".join(blocks)


def _options(command: Any) -> list[str]:
    rows = []
    for one in command.params:
        if one.param_type_name != "option" or one.name == "help" or getattr(one, "hidden", False):
            continue
        if one.name in {"install_completion", "show_completion"}:
            continue
        value = "" if one.is_flag else _value(one)
        names = ", ".join(f"`{name}`" for name in [*one.opts, *one.secondary_opts])
        shown = f"{names} `{value}`" if value else names
        rows.append(
            f"| {shown.replace('|', chr(92) + '|')} | {(one.help or '').replace('|', chr(92) + '|')} |"
        )
    return ["| option | meaning |", "| --- | --- |", *rows] if rows else []


def _value(option: Any) -> str:
    if option.metavar:
        return str(option.metavar)
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(choice.value) for choice in kind)
    return {int: "N", float: "N", Path: "PATH"}.get(kind, "TEXT")


def api_page() -> str:
    """Every address of the service, as its OpenAPI document describes it."""
    from builder_service.app import create_app
    from wheelyard.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ.pop("WHEELYARD_TOKEN", None)
        settings = Settings(
            data_dir=place, store_url=f"file://{place}/store", redis_url="redis://127.0.0.1:1/0"
        )
        document = create_app(settings).openapi()
    lines = [
        "# HTTP API\n",
        NOTE,
        f"{document['info']['description']}\n",
        "The service describes itself: `/openapi.json` is the machine's version of this page, with every",
        "field and examples; `/docs` draws it.\n",
    ]
    tags = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    for tag, about in tags.items():
        rows = [
            f"| `{method.upper()}` | `{path}` | {operation.get('summary', '')} | {_statuses(operation)} |"
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag in operation.get("tags", [])
        ]
        if rows:
            head = ["| method | address | what | answers |", "| --- | --- | --- | --- |"]
            lines += [f"## {tag}\n", f"{about}\n", *head, *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def _statuses(operation: dict[str, Any]) -> str:
    return " ".join(sorted(operation.get("responses", {})))


def recipe_schema() -> str:
    """The JSON schema of a recipe, as the model of its document makes it."""
    from wheelyard import recipe_file

    return json.dumps(recipe_file.recipe_schema(), indent=2) + "\n"


def image_schema() -> str:
    """The JSON schema of an image's file, as the model of its document makes it."""
    from wheelyard import image_file

    return json.dumps(image_file.image_schema(), indent=2) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "command-line.md": command_page,
    "http-api.md": api_page,
    "recipe.schema.json": recipe_schema,
    "image.schema.json": image_schema,
}


def stale_pages() -> list[str]:
    """Names of the pages that are not what the code says."""
    return [
        name
        for name, make in PAGES.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text("utf-8") != make()
    ]


def main() -> int:
    """Write the pages, or with `--check` say which are not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; status 1 where a page is not current"
    )
    if parser.parse_args().check:
        stale = stale_pages()
        for name in stale:
            sys.stdout.write(f"docs/reference/{name} is not current: run `make docs`\n")
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), "utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
