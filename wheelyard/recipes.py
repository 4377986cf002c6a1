"""Recipes: what one project needs on top of its sdist, for one version and in one variant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wheelyard.build_key import BuildInputs, ConfigSetting
from wheelyard.digests import Digest
from wheelyard.errors import InputError, NotFound
from wheelyard.limits import NOTHING_ASKED, AskedLimits
from wheelyard.recipe_file import RecipeFields, applies
from wheelyard.recipe_layers import Layer, Patch, layers_of, projects_with_recipe, read_patch

__all__ = [
    "Patch",
    "Recipe",
    "RecipeSummary",
    "ResolvedRecipe",
    "get_recipe",
    "list_recipes",
    "recipe_of",
    "resolve_recipe",
]

_TABLES = ("environment", "config_settings", "limits")
_LISTS = (
    "packages", "natives", "runtime_natives", "build_requires", "leave_out", "imports", "exclusive",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What holds for one version of a project in one variant; a project without a recipe has the empty one.

    :param environment: variables of the build backend.
    :param config_settings: PEP 517 config settings; a list for one that is given several times.
    :param packages: Debian packages of the build, beyond the toolchain's.
    :param natives: native artifacts that it is compiled against.
    :param runtime_natives: native artifacts whose programs it runs: they are there when it is tried, and
        when what needs it is.
    :param build_requires: build requirements beside the sdist's own ones.
    :param replaced_build_requires: build requirements in the place of the sdist's static ones, or None.
    :param patches: changes of the sources, in their order.
    :param leave_out: members left out of the wheel, as fnmatch patterns.
    :param variant: the variant that these settings are of; empty for the default.
    :param exclusive: projects that can't be installed beside this one.
    :param memory_per_job: bytes that one parallel compile job needs; 0 means unknown.
    :param limits: memory, cores, processes, disk and time of a build.
    :param imports: modules that the check imports; empty means the wheel's own.
    :param smoke: Python source that asserts what the wheel must be able to do.
    """

    project: str
    environment: dict[str, str] = field(default_factory=dict)
    config_settings: dict[str, ConfigSetting] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    natives: tuple[str, ...] = ()
    runtime_natives: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    replaced_build_requires: tuple[str, ...] | None = None
    patches: tuple[Patch, ...] = ()
    leave_out: tuple[str, ...] = ()
    variant: str = ""
    exclusive: tuple[str, ...] = ()
    memory_per_job: int = 0
    limits: AskedLimits = NOTHING_ASKED
    imports: tuple[str, ...] = ()
    smoke: str = ""

    def to_document(self) -> dict[str, Any]:
        """What it says, as JSON-serialisable fields under the names that its file has for them.

        What says nothing is absent.
        """
        fields: dict[str, Any] = {
            "packages": list(self.packages),
            "environment": self.environment,
            "config_settings": self.config_settings,
            "natives": list(self.natives),
            "runtime_natives": list(self.runtime_natives),
            "build_requires": list(self.build_requires),
            "replace_build_requires": None
            if self.replaced_build_requires is None
            else list(self.replaced_build_requires),
            "memory_per_job": self.memory_per_job,
            "limits": self.limits.to_document(),
            "patches": [{"file": patch.name, "digest": str(patch.digest)} for patch in self.patches],
            "leave_out": list(self.leave_out),
            "imports": list(self.imports),
            "smoke": self.smoke,
            "exclusive": list(self.exclusive),
        }
        return {
            name: value
            for name, value in fields.items()
            if value or (name == "replace_build_requires" and value == [])
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRecipe:
    """A recipe, and where each of its fields comes from.

    :param origins: by field, with a dot for a table's (`environment.CFLAGS`): the layer that said it last.
    :param layers: files that it was made of, the team's behind the shipped one.
    :param variants: names of all that there are.
    :param default_variant: which of them is built where nobody names one; empty means none of them.
    """

    recipe: Recipe
    origins: Mapping[str, str]
    layers: tuple[Layer, ...]
    variants: tuple[str, ...]
    default_variant: str

    def to_document(self) -> dict[str, Any]:
        """The recipe, its origins and its layers, as JSON-serialisable fields."""
        return {
            "project": self.recipe.project,
            "variant": self.recipe.variant or self.default_variant,
            "variants": list(self.variants),
            "default_variant": self.default_variant,
            "fields": self.recipe.to_document(),
            "origins": dict(sorted(self.origins.items())),
            "layers": [
                {"name": layer.name, "team": layer.team, "digest": str(Digest.of(layer.text.encode()))}
                for layer in self.layers
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSummary:
    """A line of the list of recipes.

    :param origin: `shipped`, `team`, or `shipped, team` where the team's is laid over the shipped one.
    """

    project: str
    origin: str
    variants: tuple[str, ...]
    default_variant: str
    description: str


def get_recipe(project: str, extra: Path | None = None, *, version: str = "", variant: str = "") -> Recipe:
    """The recipe of a project, or the empty one.

    :param project: canonical name (PEP 503).
    :param extra: the team's folder; what a file there says wins over a shipped one, field by field.
    :param version: that is built, for what the recipe says of some versions only; empty for none of that.
    :param variant: its name; empty for the recipe's default.
    :raises InputError: the file is not a recipe, or has no such variant; the message says where and why.
    """
    return resolve_recipe(project, extra, version=version, variant=variant).recipe


def recipe_of(inputs: BuildInputs, extra: Path | None = None) -> Recipe:
    """The recipe by which a build of these inputs is made, as it stands now; see `get_recipe`."""
    return get_recipe(inputs.project, extra, version=inputs.version, variant=inputs.variant)


def resolve_recipe(
    project: str, extra: Path | None = None, *, version: str = "", variant: str = ""
) -> ResolvedRecipe:
    """As `get_recipe`, with the origin of each field.

    Of one file, what it says of some versions goes over what it says of all, and a variant over both; the
    team's file goes over all of the shipped one.
    """
    layers = layers_of(project, extra)
    variants = tuple(sorted({name for layer in layers for name in layer.file.variants}))
    default = next(
        (layer.file.default_variant for layer in reversed(layers) if layer.file.default_variant), ""
    )
    chosen = variant or default
    if chosen and chosen not in variants:
        raise _unknown_variant(project, chosen, variants, layers, asked=bool(variant))
    fields = _Fields()
    for layer in layers:
        for name, table in _tables(layer, version, chosen):
            fields.lay(layer, name, table, version)
    recipe = Recipe(project=project, variant="" if chosen == default else chosen, **fields.values())
    return ResolvedRecipe(
        recipe=recipe, origins=fields.origins, layers=layers, variants=variants, default_variant=default
    )


def list_recipes(extra: Path | None = None) -> tuple[RecipeSummary, ...]:
    """Every project that has a recipe, by name.

    :raises InputError: a file is not a recipe.
    """
    return tuple(_summary(project, extra) for project in projects_with_recipe(extra))


def _summary(project: str, extra: Path | None) -> RecipeSummary:
    found = resolve_recipe(project, extra)
    return RecipeSummary(
        project=project,
        origin=", ".join("team" if layer.team else "shipped" for layer in found.layers),
        variants=found.variants,
        default_variant=found.default_variant,
        description=next(
            (layer.file.description for layer in reversed(found.layers) if layer.file.description), ""
        ),
    )


def _tables(layer: Layer, version: str, variant: str) -> Iterator[tuple[str, RecipeFields]]:
    """What a file says, each over what comes before it, with what that is called."""
    yield layer.name, layer.file
    for rule in layer.file.versions:
        if applies(rule.when, version):
            yield f"{layer.name}, versions {rule.when}", rule
    if variant in layer.file.variants:
        yield f"{layer.name}, variant {variant}", layer.file.variants[variant]


class _Fields:
    """The fields of a recipe while its layers are laid."""

    def __init__(self) -> None:
        self.origins: dict[str, str] = {}
        self._lists: dict[str, tuple[Any, ...]] = {}
        self._tables: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
        self._rest: dict[str, Any] = {}

    def lay(self, layer: Layer, origin: str, table: RecipeFields, version: str) -> None:
        """Lay one table over what is there: lists and values replace, tables merge, `false` takes away."""
        said = table.model_fields_set
        for name in said.intersection(_LISTS):
            self._lists[name] = tuple(getattr(table, name))
            self.origins[name] = origin
        for name in said.intersection(("memory_per_job", "smoke")):
            self._rest[name] = getattr(table, name)
            self.origins[name] = origin
        if table.replace_build_requires is not None:
            self._rest["replaced_build_requires"] = tuple(table.replace_build_requires)
            self.origins["replace_build_requires"] = origin
        if "patches" in said:
            self._lists["patches"] = tuple(
                read_patch(layer, entry) for entry in table.patches if applies(entry.versions, version)
            )
            self.origins["patches"] = origin
        for name in said.intersection(_TABLES):
            self._merge(name, origin, _pairs(getattr(table, name)))

    def _merge(self, name: str, origin: str, pairs: Iterable[tuple[str, Any]]) -> None:
        for key, value in pairs:
            self.origins.pop(f"{name}.{key}", None)
            self._tables[name].pop(key, None)
            if value is not False:
                self._tables[name][key] = value
                self.origins[f"{name}.{key}"] = origin

    def values(self) -> dict[str, Any]:
        """The fields that were said, as a recipe holds them."""
        limits = AskedLimits.model_validate(self._tables["limits"])
        tables = {
            name: dict(sorted(self._tables[name].items())) for name in ("environment", "config_settings")
        }
        return {**self._lists, **tables, "limits": limits, **self._rest}


def _pairs(table: AskedLimits | Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return table.to_document().items() if isinstance(table, AskedLimits) else table.items()


def _unknown_variant(
    project: str, variant: str, variants: tuple[str, ...], layers: tuple[Layer, ...], *, asked: bool
) -> InputError:
    if not asked:
        return InputError(
            f"the recipe {layers[-1].name} has the default variant {variant!r}, which does not exist",
            expected="one of " + ", ".join(variants) if variants else "no variant, since it has none",
            path=layers[-1].name,
        )
    return NotFound(
        f"{project} has no variant {variant!r}",
        expected="one of " + ", ".join(variants) if variants else "none: its recipe has no variants",
        do=f"see `wheelyard recipe show {project}`",
        project=project,
        variants=list(variants),
    )
