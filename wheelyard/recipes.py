"""Recipes: what one project needs on top of its sdist."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wheelyard.errors import InputError
from wheelyard.limits import NOTHING_ASKED, AskedLimits


class Patch(BaseModel):
    """A change of a project's sources, as `patch -p1` reads it.

    :param name: of its file, for messages.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    text: str


class Recipe(BaseModel):
    """One file in `infra/recipes/`, named after the project; a project without one has the empty recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    project: str
    environment: dict[str, str] = Field(default_factory=dict, description="Variables for the build backend.")
    config_settings: dict[str, str] = Field(default_factory=dict, description="PEP 517 config settings.")
    packages: tuple[str, ...] = Field((), description="Debian packages of the build, beyond the toolchain's.")
    natives: tuple[str, ...] = Field((), description="Native artifacts that it is compiled against.")
    build_requires: tuple[str, ...] = Field((), description="Build requirements beside the sdist's own ones.")
    replaced_build_requires: tuple[str, ...] | None = Field(
        None, description="Build requirements in the place of the sdist's static ones."
    )
    patches: tuple[Patch, ...] = Field((), description="Changes of the sources, in their order.")
    leave_out: tuple[str, ...] = Field((), description="Members left out of the wheel, as fnmatch patterns.")
    variant: str = Field("", description="The variant that these settings are of; empty for the default.")
    exclusive: tuple[str, ...] = Field((), description="Projects that can't be installed beside this one.")
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


def get_recipe(project: str, extra: Path | None = None, *, version: str = "", variant: str = "") -> Recipe:  # noqa: ARG001
    """The recipe of a project, or the empty one.

    :param project: canonical name (PEP 503).
    :param extra: the team's folder; a file there wins over a shipped one.
    :param version: that is built, for what the recipe says of some versions only; empty for none of that.
    :param variant: its name; empty for the recipe's default.
    :raises InputError: the file is not a recipe, or has no such variant; the message says where and why.
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
