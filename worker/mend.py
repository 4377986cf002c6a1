"""What would mend a failed build: the line of a recipe that brings what it lacked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wheelyard.errors import BuildFailed, InfrastructureError
from wheelyard.recipe_text import toml_line
from wheelyard.recipes import Recipe
from wheelyard.settings import Settings
from wheelyard.toolchains import Toolchain
from worker.debian.contents import DebianContents
from worker.debian.mirror import find_mirror
from worker.missing_part import MissingPart

PackageSearch = Callable[[str, str], Sequence[str]]
"""Gives the Debian packages that bring a part of a kind and name, the likeliest first."""


def package_search(settings: Settings, toolchain: Toolchain) -> PackageSearch:
    """The search in the packages of a toolchain's Debian release; it finds none where that is no Debian."""
    if toolchain.debian is None:
        return lambda _kind, _name: ()
    mirror = find_mirror(settings).main
    return DebianContents(mirror, toolchain.debian.suite, settings.data_dir / "contents").packages


def name_mend(
    error: BuildFailed,
    packages_of: PackageSearch,
    *,
    recipe: Recipe,
    version: str,
    job: str,
) -> BuildFailed:
    """The same error, with the Debian package or build requirement that it wants, and the recipe line for it.

    :param recipe: as the build had it.
    :param job: id of the job that failed, for the command that mends it.
    """
    part = MissingPart(kind=error.facts.get("missing_kind", ""), name=error.facts.get("missing_name", ""))
    if not part.kind:
        return error
    if part.requirement:
        return _mended(
            error, recipe, version, job,
            field="build_requires", values=[*recipe.build_requires, part.requirement],
            why=f"the build requirement {part.requirement} has the {part}", candidates=[part.requirement],
        )  # fmt: skip
    try:
        packages = [one for one in packages_of(part.kind, part.name) if one not in recipe.packages]
    except InfrastructureError:
        # A hint is worth no second failure.
        return error
    if not packages:
        return error
    others = f" (or {', '.join(packages[1:])})" if packages[1:] else ""
    return _mended(
        error, recipe, version, job,
        field="packages", values=[*recipe.packages, packages[0]],
        why=f"the Debian package {packages[0]}{others} has the {part}", candidates=packages,
    )  # fmt: skip


def _mended(
    error: BuildFailed,
    recipe: Recipe,
    version: str,
    job: str,
    *,
    field: str,
    values: Sequence[str],
    why: str,
    candidates: Sequence[str],
) -> BuildFailed:
    line = f"{toml_line(field, values)} in recipes/{recipe.project}.toml"
    facts = {
        field: list(candidates),
        "recipe_line": line,
        "recipe_field": field,
        "project": recipe.project,
        "version": version,
        "variant": recipe.variant,
    }
    return BuildFailed(
        error.failed,
        expected=error.expected,
        found=error.found,
        do=f"{why}: say {line}, or let `wheelyard recipe try {recipe.project} --job {job}` "
        "say it and build again",
        **{**error.facts, **facts},
    )
