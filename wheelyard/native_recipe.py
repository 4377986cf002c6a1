"""Recipes of native artifacts: libraries and programs that wheels are compiled against, such as FFmpeg."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wheelyard.errors import InputError, NotFound
from wheelyard.limits import NOTHING_ASKED, AskedLimits
from wheelyard.recipe_layers import read_recipe_text, shipped_folder

PREFIXES = "/opt/wheelyard/native"
"""Where natives lie in containers, one folder each."""

FOLDER = "natives"
"""Below the recipes' folders."""

Step = Annotated[tuple[str, ...], Field(min_length=1)]


class SourceFile(BaseModel):
    """One file of a Debian source package, or of another place."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str = Field(
        pattern=r"^[^\s'\"\[\]]+$",
        description="Below the mirror's address (`pool/main/f/ffmpeg/…`), or a whole address.",
    )
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of its bytes.")

    @property
    def filename(self) -> str:
        """Its last part."""
        return PurePosixPath(self.path).name


class Source(BaseModel):
    """What is compiled under the toolchains of one Debian release."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+:~-]*$", description="As Debian numbers it.")
    files: tuple[SourceFile, ...] = Field(
        min_length=1,
        description="The archive of the sources; then what is unpacked inside of these: Debian's own part "
        "with its patches, sources of what is compiled along.",
    )


class NativeRecipe(BaseModel):
    """One file `natives/NAME.toml` in a recipes' folder; the team's wins over a shipped one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    description: str = Field(description="What it does and why, in a sentence.")
    licence: str = Field(min_length=1, description="SPDX expression of what is made.")
    sources: dict[str, Source] = Field(description="By the code name of the Debian release.")
    packages: tuple[str, ...] = Field((), description="Debian packages of its build.")
    environment: dict[str, str] = Field({}, description="Variables of its steps.")
    steps: tuple[Step, ...] = Field(
        min_length=1,
        description="Programs with their arguments, run in the sources' folder; @PREFIX@ is where it will "
        "lie, @OUT@ the empty folder that takes the place of the root.",
    )
    leave_out: tuple[str, ...] = Field((), description="Paths below the prefix, as fnmatch patterns.")
    smoke: tuple[Step, ...] = Field(
        min_length=1, description="Programs that must succeed in a container of the plain toolchain."
    )
    memory_per_job: int = Field(0, ge=0, description="Bytes that one parallel compile job needs.")
    limits: AskedLimits = Field(NOTHING_ASKED, description="Memory, cores, processes, disk and time.")

    def source_for(self, suite: str) -> Source:
        """What is compiled under a toolchain of a Debian release.

        :raises InputError: the recipe has no sources for that release.
        """
        found = self.sources.get(suite)
        if found is None:
            raise InputError(
                f"the native recipe {self.name} has no sources for Debian {suite}",
                expected="a toolchain of " + " or ".join(sorted(self.sources)),
                do=f"add [sources.{suite}] to a recipe of the team's, `{FOLDER}/{self.name}.toml`",
            )
        return found


def prefix_of(name: str) -> str:
    """Where a native artifact lies in containers."""
    return f"{PREFIXES}/{name}"


def get_native_recipe(name: str, extra: Path | None = None) -> NativeRecipe:
    """The recipe of a native artifact.

    :param extra: the team's folder of recipes.
    :raises NotFound: there is none.
    :raises InputError: the file is not such a recipe; the message says where and why.
    """
    folders = [folder / FOLDER for folder in (extra, shipped_folder()) if folder is not None]
    for folder in folders:
        place = folder / f"{name}.toml"
        if place.is_file():
            return _parse(name, read_recipe_text(place, f"native recipe {place}"), str(place))
    known = sorted({place.stem for folder in folders if folder.is_dir() for place in folder.glob("*.toml")})
    raise NotFound(
        f"there is no native recipe {name!r}",
        expected="one of " + ", ".join(known) if known else f"a file `{FOLDER}/{name}.toml`",
        do="mend `natives` in the recipe",
    )


@lru_cache(maxsize=64)
def _parse(name: str, text: str, origin: str) -> NativeRecipe:
    try:
        document: dict[str, Any] = tomllib.loads(text)
        if "name" in document:
            raise InputError(
                f"the native recipe {origin} has a field `name`",
                do="leave it out: the file's own name says it",
            )
        return NativeRecipe(name=name, **document)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the native recipe {origin} is not TOML", found=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"the native recipe {origin} is wrong at {'.'.join(map(str, first['loc'])) or 'its top'}",
            expected=first["msg"],
            found=repr(first.get("input"))[:200],
        ) from error
