"""The commands about recipes: recipe list, show, check, schema, try."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.cli.error_text import write_error
from wheelyard.cli.exits import WRONG_INPUT, exit_codes_help
from wheelyard.cli.recipe_try import try_recipe
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line, write_table
from wheelyard.errors import InputError

recipe_app = typer.Typer(help="What single projects need on top of their sdists.", no_args_is_help=True)
recipe_app.command("try", epilog=exit_codes_help())(try_recipe)
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]
Version = Annotated[
    str,
    typer.Option(help="The version that would be built, for what holds for some only.", metavar="VERSION"),
]
Variant = Annotated[str, typer.Option(help="The variant; empty means the default one.", metavar="NAME")]


@recipe_app.command("list", epilog=exit_codes_help())
def list_recipes(context: typer.Context, as_json: AsJson = False) -> None:
    """List the projects that have a recipe, shipped or of the team's, with their variants.

    \b
    Examples:
      wheelyard recipe list
    """
    with session_of(context).client() as client:
        found = client.recipes()
    if as_json:
        write_json(found)
        return
    rows = [
        (
            str(entry.get("project", "")),
            str(entry.get("origin", "")),
            _variants(entry) or "-",
            str(entry.get("description", "")),
        )
        for entry in found
    ]
    write_table(("PROJECT", "ORIGIN", "VARIANTS", "DESCRIPTION"), rows)


@recipe_app.command("show", epilog=exit_codes_help())
def show_recipe(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The project's name.", metavar="NAME")],
    version: Version = "",
    variant: Variant = "",
    as_json: AsJson = False,
) -> None:
    """Show what a project's recipe says of a version in a variant, and which file says each of it.

    \b
    Examples:
      wheelyard recipe show numpy
      wheelyard recipe show opencv-python-headless --version 4.12.0.88 --variant video
    """
    with session_of(context).client() as client:
        found = client.recipe(name, version=version, variant=variant)
    if as_json:
        write_json(found)
        return
    project = str(found.get("project", name))
    if not found.get("layers"):
        write_line(f"{project} has no recipe; it is built as its sdist says")
        return
    chosen = found.get("variant")
    write_line(f"{project} in the variant {chosen}" if chosen else project)
    if found.get("variants"):
        write_line(f"variants: {_variants(found)}")
    origins = {str(field): str(origin) for field, origin in (found.get("origins") or {}).items()}
    names = [str(layer.get("name", "")) for layer in found["layers"]]
    lines = _lines(found.get("fields") or {})
    for origin in sorted(set(origins.values()), key=lambda origin: (_rank(origin, names), origin)):
        write_line()
        write_line(f"# {origin}")
        for field, text in lines:
            if origins.get(field) == origin:
                for line in text.split("\n"):
                    write_line(line)


@recipe_app.command("check", epilog=exit_codes_help())
def check_recipes(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, or names of projects; none means every recipe here.", metavar="[FILE|NAME]..."
        ),
    ] = None,
) -> None:
    """Check recipes on this machine: their fields, patches, versions and variants. Nothing is built.

    Without a name it looks at the shipped recipes, and at those in the folder of WHEELYARD_RECIPES_DIR.

    \b
    Examples:
      wheelyard recipe check
      wheelyard recipe check recipes/pyyaml.toml
    """
    from wheelyard.recipe_check import check_recipe, recipes_to_check

    folder = session_of(context).settings().recipes_dir
    wrong = 0
    for path, team in recipes_to_check(names or (), folder):
        try:
            write_line(f"{path}: {check_recipe(path, team=team)}")
        except InputError as error:
            wrong += 1
            write_error(error, as_json=False)
    if wrong:
        raise typer.Exit(WRONG_INPUT)


@recipe_app.command("schema", epilog=exit_codes_help())
def show_schema() -> None:
    """Print the JSON schema of a recipe, for editors that complete and check it.

    \b
    Examples:
      wheelyard recipe schema > recipe.schema.json
    """
    from wheelyard.recipe_file import recipe_schema

    write_json(recipe_schema())


def _variants(entry: dict[str, Any]) -> str:
    default = entry.get("default_variant")
    return ", ".join(
        f"{name} (default)" if name == default else str(name) for name in entry.get("variants") or ()
    )


def _rank(origin: str, names: list[str]) -> int:
    """The place of the layer that an origin belongs to."""
    return next((place for place, name in enumerate(names) if origin.startswith(name)), len(names))


def _lines(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Each field under the name that its origin has, and as a recipe would say it."""
    from wheelyard.recipe_text import toml_line

    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            found += [(f"{name}.{key}", toml_line(f"{name}.{key}", item)) for key, item in value.items()]
        elif name == "patches":
            names = [str(patch.get("file", "")) for patch in value]
            found.append((name, "\n".join(f'[[patches]]\nfile = "{one}"' for one in names)))
        elif isinstance(value, str) and "\n" in value:
            found.append((name, f'{name} = """\n{value.strip()}\n"""'))
        else:
            found.append((name, toml_line(name, value)))
    return found
