"""The check of recipes before they are used: everything in them that could be wrong is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from wheelyard.errors import NotFound
from wheelyard.recipe_layers import layers_of, projects_with_recipe, read_layer, read_patch, shipped_folder
from wheelyard.recipes import resolve_recipe


def recipes_to_check(names: Sequence[str], team: Path | None) -> Iterator[tuple[Path, bool]]:
    """The files that names stand for, and whether each is the team's; all that there are for no names.

    :param names: paths, or names of projects.
    :raises NotFound: a name has no recipe.
    """
    for name in names:
        path = Path(name)
        if "/" in name or name.endswith(".toml"):
            if not path.is_file():
                raise NotFound(f"there is no file {name}", do="name a recipe's file, or a project")
            yield path, path.resolve().parent != shipped_folder().resolve()
            continue
        layers = layers_of(canonicalize_name(name), team)
        if not layers:
            raise NotFound(f"{name} has no recipe", do="see `wheelyard recipe list`")
        yield from ((layer.path, layer.team) for layer in layers)
    if not names:
        for project in projects_with_recipe(team):
            for folder in (shipped_folder(), team):
                if folder is not None and (folder / f"{project}.toml").is_file():
                    yield folder / f"{project}.toml", folder is team


def check_recipe(path: Path, *, team: bool) -> str:
    """Read one file with every patch that it names, and over the shipped one; says what it holds.

    :raises InputError: something in it is wrong.
    """
    layer = read_layer(path, team=team)
    file = layer.file
    tables = [file, *file.versions, *file.variants.values()]
    patches = [read_patch(layer, entry) for table in tables for entry in table.patches]
    # A default variant may be one of the shipped recipe's.
    resolve_recipe(path.name.removesuffix(".toml"), path.parent if team else None)
    parts = [
        f"{len(file.variants)} variants" if file.variants else "",
        f"{len(file.versions)} rules for versions" if file.versions else "",
        f"{len(patches)} patches" if patches else "",
    ]
    return ", ".join(["fine", *(part for part in parts if part)])
