"""Recipes: what one project needs on top of its sdist."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wheelyard.errors import InputError
from wheelyard.limits import NOTHING_ASKED, AskedLimits


class Recipe(BaseModel):
    """One file in `infra/recipes/`, named after the project; a project without one has the empty recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    project: str
    environment: dict[str, str] = Field(default_factory=dict, description="Variables for the build backend.")
    config_settings: dict[str, str] = Field(default_factory=dict, description="PEP 517 config settings.")
    memory_per_job: int = Field(
        0, ge=0, description="Bytes that one parallel compile job needs; 0 means unknown."
    )
    limits: AskedLimits = Field(
        NOTHING_ASKED, description="Memory, cores, processes, disk and time of a build."
    )
    imports: tuple[str, ...] = Field(
        (), description="Modules that the check imports; empty means the wheel's own."
    )
    smoke: str = Field("", description="Python source that asserts what the wheel must be able to do.")


def get_recipe(project: str, extra: Path | None = None) -> Recipe:
    """The recipe of a project, or the empty one.

    :param project: canonical name (PEP 503).
    :param extra: the team's folder; a file there wins over a shipped one.
    :raises InputError: the file is not a recipe; the message says where and why.
    """
    for folder in ([extra] if extra else []) + [files("infra") / "recipes"]:
        source = folder / f"{project}.toml"
        if not source.is_file():
            continue
        try:
            return Recipe(project=project, **tomllib.loads(source.read_text("utf-8")))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"the recipe {source} is not TOML", found=str(error)) from error
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"the recipe {source} is wrong at {'.'.join(map(str, first['loc'])) or 'its top'}",
                expected=first["msg"],
                found=repr(first.get("input"))[:200],
            ) from error
    return Recipe(project=project)
