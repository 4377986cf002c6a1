"""The layers of a recipe: the shipped file of a project, the team's over it, and the patches beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from packaging.utils import canonicalize_name

from wheelyard.digests import Digest, key_of
from wheelyard.errors import InputError
from wheelyard.recipe_file import PatchEntry, RecipeFile, parse_recipe_file

SHIPPED = "infra/recipes"
_LARGEST_PATCH = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A change of a project's sources, as `patch -p1` reads it.

    :param name: of its file, for messages.
    """

    name: str
    text: str

    @property
    def digest(self) -> Digest:
        """Of its bytes."""
        return Digest.of(self.text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file of a recipe.

    :param name: what it is called in messages: `infra/recipes/numpy.toml`, or its path.
    :param team: whether it is the team's own.
    """

    path: Path
    name: str
    team: bool
    text: str
    file: RecipeFile


def shipped_folder() -> Path:
    """Where the shipped recipes lie."""
    return Path(str(files("infra") / "recipes"))


def team_file(folder: Path, project: str) -> Path:
    """Where the team's recipe of a project lies, or would."""
    return folder / f"{canonicalize_name(project)}.toml"


def layers_of(project: str, team: Path | None) -> tuple[Layer, ...]:
    """The files of a project's recipe, each laid over those before it; none where it has no recipe.

    :param project: canonical name (PEP 503).
    :param team: the team's folder.
    :raises InputError: a file is not a recipe.
    """
    found: list[Layer] = []
    for folder in (shipped_folder(), team):
        path = None if folder is None else team_file(folder, project)
        if path is None or not path.is_file():
            continue
        layer = read_layer(path, team=folder is team)
        found = [*found, layer] if layer.file.inherit else [layer]
    return tuple(found)


def read_layer(path: Path, *, team: bool) -> Layer:
    """Read one file of a recipe.

    :raises InputError: it is not a recipe, or its name is no project's.
    """
    name = str(path) if team else f"{SHIPPED}/{path.name}"
    _project_of(path)
    text = read_recipe_text(path, f"recipe {name}", name)
    return Layer(path=path, name=name, team=team, text=text, file=parse_recipe_file(text, name))


def read_recipe_text(path: Path, what: str, name: str = "") -> str:
    """The text of a file of recipes.

    :param what: it is called so in the error.
    :param name: as the error's facts have it; empty for its path.
    :raises InputError: it can't be read.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the {what} can't be read", found=str(error), path=name or str(path)) from error


def projects_with_recipe(team: Path | None) -> tuple[str, ...]:
    """Names of the projects that a shipped recipe or one of the team's is for.

    :raises InputError: a file's name is no project's.
    """
    return tuple(
        sorted(
            {
                _project_of(path)
                for folder in (shipped_folder(), team)
                if folder is not None and folder.is_dir()
                for path in folder.glob("*.toml")
            }
        )
    )


def recipes_key(team: Path | None) -> str:
    """Key over all files that recipes are made of, as they lie there now: another recipe, another key.

    :param team: the team's folder.
    """
    folders = {"shipped": shipped_folder(), "team": team}
    return key_of(
        {
            name: {} if folder is None else {str(path.relative_to(folder)): of for path, of in _files(folder)}
            for name, folder in folders.items()
        }
    )


def _files(top: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder that can be a recipe or a patch, with their digests."""
    for folder, folders, names in os.walk(top):
        # A checkout of git lies in a hidden folder, an editor's unsaved text in a hidden file.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            try:
                found = path.stat()
                if stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST_PATCH:
                    yield path, _digest_of(path, found.st_mtime_ns, found.st_size)
            except OSError:
                # Who can't read it is told so where it is used; between two looks it may also have gone.
                continue


@lru_cache(maxsize=4096)
def _digest_of(path: Path, _changed_ns: int, _size: int) -> str:
    return str(Digest.of_file(path))


def _project_of(path: Path) -> str:
    project = path.name.removesuffix(".toml")
    name = canonicalize_name(project)
    if name != project:
        raise InputError(
            f"the recipe {path} is never read",
            expected=f"the name {name}.toml, as PEP 503 writes it",
            do="name the file so",
            path=str(path),
        )
    return name


def read_patch(layer: Layer, entry: PatchEntry) -> Patch:
    """The patch that a recipe names: it lies beside that recipe, or beside the shipped one.

    :raises InputError: it is not there, leads out of its folder, or is no patch.
    """
    for folder in (layer.path.parent, shipped_folder()):
        path = folder / entry.file
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            raise _wrong_patch(
                layer, entry, "a file inside of the recipe's folder", f"a link to {path.resolve()}"
            )
        try:
            body = path.read_bytes()
            text = body.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise _wrong_patch(layer, entry, "text in UTF-8", str(error)) from error
        if len(body) > _LARGEST_PATCH:
            raise _wrong_patch(layer, entry, f"at most {_LARGEST_PATCH} bytes", f"{len(body)} bytes")
        lines = text.splitlines()
        if not all(any(line.startswith(mark) for line in lines) for mark in ("--- ", "+++ ", "@@ ")):
            raise _wrong_patch(layer, entry, "a unified diff, as `diff -u` and `git diff` write it", "none")
        return Patch(name=entry.file, text=text)
    raise _wrong_patch(layer, entry, f"the file {layer.path.parent / entry.file}", "nothing there")


def _wrong_patch(layer: Layer, entry: PatchEntry, expected: str, found: str) -> InputError:
    return InputError(
        f"the recipe {layer.name} names the patch {entry.file}, which can't be used",
        expected=expected,
        found=found,
        path=layer.name,
        patch=entry.file,
    )
