"""Toolchains: compilers, one CPython and a platform policy, and the runtime base that matches them."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wheelyard.errors import InputError, NotFound
from wheelyard.limits import NOTHING_ASKED, AskedLimits

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Python(BaseModel):
    """The one CPython of a toolchain."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: str = Field(pattern=r"^3\.\d+$", description="Major and minor version, for instance 3.11.")
    tag: str = Field(pattern=r"^cp3\d+$", description="Python tag (PEP 425), for instance cp311.")
    executable: str = Field("/usr/bin/python3", description="Its path in the compile image.")


class Debian(BaseModel):
    """An image made from Debian packages by mmdebstrap; no registry takes part."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    suite: str = Field(pattern=r"^[a-z]+$", description="For instance bookworm.")
    packages: tuple[str, ...] = Field(description="Packages of the compile image.")
    base_packages: tuple[str, ...] = Field(description="Packages of the runtime base.")


class Toolchain(BaseModel):
    """One file in `infra/toolchains/`, or in the folder that WHEELYARD_TOOLCHAINS_DIR names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name
    description: str
    python: Python
    policy: str = Field(
        pattern=r"^(manylinux|musllinux)_\d+_\d+_[a-z0-9_]+$", description="Platform tag (PEP 600)."
    )
    debian: Debian | None = None
    image: str = Field("", description="NAME@sha256:… in the registry that WHEELYARD_IMAGE_REGISTRY names.")
    base: str = Field("", description="Toolchain whose runtime base this one uses; empty means its own.")
    tools: str = Field("", description="Lock of the builder's own tools, a file beside this one.")

    limits: AskedLimits = Field(
        NOTHING_ASKED, description="Limits of builds, where a recipe says nothing else."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Toolchain:
        if (self.debian is None) == (not self.image):
            raise ValueError("give either [debian] or image, not both and not neither")
        if self.image and "@sha256:" not in self.image:
            raise ValueError("image must be pinned by digest: NAME@sha256:…")
        return self


# Every request names a toolchain, and the text that decides it is read each time.
@lru_cache(maxsize=64)
def _parse(name: str, text: str, origin: str) -> Toolchain:
    try:
        document: dict[str, Any] = tomllib.loads(text)
        return Toolchain(name=name, **document)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the toolchain file {origin} is not TOML", found=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"the toolchain file {origin} is wrong at {'.'.join(map(str, first['loc'])) or 'its top'}",
            expected=first["msg"],
            found=repr(first.get("input"))[:200],
        ) from error


def _sources(extra: Path | None) -> dict[str, Traversable]:
    folders: list[Traversable] = [files("infra") / "toolchains"]
    if extra is not None:
        folders.append(extra)
    return {
        item.name.removesuffix(".toml"): item
        for folder in folders
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if item.name.endswith(".toml")
    }


def list_toolchains(extra: Path | None = None) -> tuple[Toolchain, ...]:
    """Every toolchain that is shipped or in the team's folder, by name.

    :param extra: the team's folder; a file there wins over a shipped one of the same name.
    :raises InputError: a file is not a toolchain; the message says where and why.
    """
    return tuple(
        _parse(name, source.read_text("utf-8"), str(source))
        for name, source in sorted(_sources(extra).items())
    )


def get_toolchain(name: str, extra: Path | None = None) -> Toolchain:
    """The toolchain of that name.

    :raises NotFound: there is none; the message lists those that there are.
    """
    sources = _sources(extra)
    if name not in sources:
        raise NotFound(
            f"there is no toolchain {name!r}",
            expected="one of " + ", ".join(sorted(sources)),
            do="see `wheelyard toolchain list`",
        )
    return _parse(name, sources[name].read_text("utf-8"), str(sources[name]))


def read_tools_lock(toolchain: Toolchain, extra: Path | None = None) -> str:
    """Text of the pip lock of the builder's own tools for this toolchain: pip, build, auditwheel and others.

    :raises InputError: the toolchain names none, or the file is missing.
    """
    for folder in ([extra] if extra else []) + [files("infra") / "toolchains"]:
        source = folder / toolchain.tools
        if toolchain.tools and source.is_file():
            return source.read_text("utf-8")
    raise InputError(
        f"the toolchain {toolchain.name} has no lock of its tools",
        expected='`tools = "FILE"`, a file beside the toolchain\'s own',
        found=repr(toolchain.tools),
    )
