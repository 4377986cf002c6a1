"""The document that a recipe is written in: its fields, and the JSON schema of them."""

from __future__ import annotations

import ast
import tomllib
from functools import lru_cache
from typing import Annotated, Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from wheelyard.errors import InputError
from wheelyard.limits import NOTHING_ASKED, AskedLimits
from wheelyard.recipe_fault import wrong_recipe


def _specifier(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError("a version specifier such as '>=2,<3' (PEP 440)") from error
    return text


def _requirement(text: str) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError("a requirement such as 'cython>=3' (PEP 508)") from error
    if requirement.url:
        raise ValueError("a requirement without an address: it comes from the index")
    return text


def _python(text: str) -> str:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = f" in its line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise ValueError(f"Python source; {getattr(error, 'msg', error)}{line}") from error
    return text


def _module(text: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")):
        raise ValueError("a module's name such as 'numpy.linalg'")
    return text


Specifier = Annotated[str, AfterValidator(_specifier)]
BuildRequirement = Annotated[str, AfterValidator(_requirement)]
Module = Annotated[str, AfterValidator(_module)]
PythonSource = Annotated[str, AfterValidator(_python)]
Project = Annotated[str, AfterValidator(canonicalize_name)]
DebianPackage = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
NativeName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
VariantName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
PatchPath = Annotated[
    str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]*/)?[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=200)
]
"""A file beside the recipe, or in a folder there; no way leads out of it."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PatchEntry(_Table):
    """One of `[[patches]]`."""

    file: PatchPath = Field(description="Beside the recipe, or in a folder there: `numpy/fix-rpath.patch`.")
    versions: Specifier = Field("", description="Versions that it is for (PEP 440); empty means all.")


class RecipeFields(_Table):
    """What a recipe can say, for all versions, for some, or in a variant."""

    packages: list[DebianPackage] = Field(
        [], description="Debian packages of the build, beyond the toolchain's."
    )
    environment: dict[VariableName, str | Literal[False]] = Field(
        {}, description="Variables of the build backend; `false` takes away what an earlier layer set."
    )
    config_settings: dict[str, str | list[str] | Literal[False]] = Field(
        {},
        description="PEP 517 config settings, a list for one that is given several times; `false` takes away "
        "what an earlier layer set.",
    )
    natives: list[NativeName] = Field([], description="Native artifacts that it is compiled against.")
    runtime_natives: list[NativeName] = Field(
        [], description="Native artifacts whose programs it runs: they are there when its wheel is tried."
    )
    build_requires: list[BuildRequirement] = Field(
        [], description="Build requirements beside the sdist's own ones (PEP 508)."
    )
    replace_build_requires: list[BuildRequirement] | None = Field(
        None, description="Build requirements in the place of those in the sdist's pyproject.toml (PEP 508)."
    )
    memory_per_job: StrictInt = Field(
        0, ge=0, description="Bytes that one parallel compile job needs; 0 means unknown."
    )
    limits: AskedLimits = Field(
        NOTHING_ASKED, description="Memory, cores, processes, disk and time of a build."
    )
    patches: list[PatchEntry] = Field([], description="Changes of the sources, in their order (`patch -p1`).")
    leave_out: list[str] = Field(
        [], description="Members left out of the wheel, as fnmatch patterns: `numpy/*/tests/*`."
    )
    imports: list[Module] = Field(
        [], description="Modules that the check imports; empty means the wheel's own."
    )
    smoke: PythonSource = Field(
        "", description="Python source that asserts what the wheel must be able to do."
    )
    exclusive: list[Project] = Field([], description="Projects that can't be installed beside this one.")


class VersionFields(RecipeFields):
    """One of `[[versions]]`: what holds for some versions, over what holds for all."""

    when: Specifier = Field(min_length=1, description="Versions that it holds for (PEP 440): `>=2,<3`.")


class VariantFields(RecipeFields):
    """`[variants.NAME]`: what holds in one variant, over what holds for its version."""

    description: str = Field("", description="What it is for, in a sentence.")
    default: StrictBool = Field(False, description="Whether it is built where nobody names a variant.")


class RecipeFile(RecipeFields):
    """A recipe: what one project needs on top of its sdist. Its file is named PROJECT.toml."""

    description: str = Field("", description="What it does and why, in a sentence.")
    inherit: StrictBool = Field(
        True, description="In a team's folder: whether it is laid over the shipped recipe of that name."
    )
    variant: VariantName | Literal[""] = Field(
        "", description="The variant that is built where nobody names one."
    )
    versions: list[VersionFields] = Field([], description="What holds for some versions; the later one wins.")
    variants: dict[VariantName, VariantFields] = Field({}, description="Named choices.")

    @property
    def default_variant(self) -> str:
        """The variant that is built where nobody names one; empty where there is none."""
        marked = [name for name, fields in self.variants.items() if fields.default]
        return self.variant or (marked[0] if marked else "")


def applies(specifier: str, version: str) -> bool:
    """Whether a version is among those of a specifier; pre-releases are versions like others here.

    :param specifier: empty holds for every version.
    :param version: empty is one of no specifier but the empty one.
    """
    if not specifier:
        return True
    if not version:
        return False
    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


# One recipe is read for its plan, its compile, its limits and its test.
@lru_cache(maxsize=256)
def parse_recipe_file(text: str, origin: str) -> RecipeFile:
    """Read a recipe's text.

    :param origin: its path, for messages.
    :raises InputError: it is no recipe; the message says where and why.
    """
    try:
        file = RecipeFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the recipe {origin} is not TOML", found=str(error), path=origin) from error
    except ValidationError as error:
        fault = error.errors()[0]
        raise wrong_recipe(fault, origin, _fields_at(fault["loc"])) from error
    marked = [name for name, fields in file.variants.items() if fields.default]
    if len({file.default_variant, *marked} - {""}) > 1:
        raise InputError(
            f"the recipe {origin} has more than one default variant",
            expected='`default = true` in one of them, or `variant = "NAME"` at its top',
            found=", ".join(sorted({file.default_variant, *marked})),
            path=origin,
        )
    return file


def _fields_at(place: tuple[int | str, ...]) -> tuple[str, ...]:
    tables: dict[str, type[BaseModel]] = {
        "limits": AskedLimits,
        "patches": PatchEntry,
        "versions": VersionFields,
        "variants": VariantFields,
    }
    for part in reversed(place[:-1]):
        if part in tables:
            return tuple(tables[str(part)].model_fields)
    return tuple(RecipeFile.model_fields)


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of a recipe's document, for editors that complete and check it (draft 2020-12)."""
    schema = RecipeFile.model_json_schema()
    schema["title"] = "Recipe"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
