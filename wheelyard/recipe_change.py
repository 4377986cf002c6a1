"""A change of the team's recipe of one project: what it was, what it becomes, and the way back."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.recipe_file import RecipeFields, parse_recipe_file
from wheelyard.recipe_layers import team_file
from wheelyard.recipe_text import Value, set_fields
from wheelyard.recipes import Recipe, get_recipe

_TEXT_TABLES = ("environment", "config_settings")


def split_project(text: str) -> tuple[str, str]:
    """Canonical name and version out of `NAME` or `NAME==VERSION`; the version is empty where none is said.

    :raises InputError: it is neither.
    """
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise InputError(f"{text!r} names no project", expected="NAME or NAME==VERSION") from error
    exact = [one.version for one in requirement.specifier if one.operator == "=="]
    if requirement.url or requirement.marker or len(exact) != len(requirement.specifier) or len(exact) > 1:
        raise InputError(f"{text!r} is more than a project", expected="NAME or NAME==VERSION")
    return canonicalize_name(requirement.name), exact[0] if exact else ""


def read_assignments(pairs: Sequence[str]) -> dict[str, Value]:
    """Fields out of `FIELD=VALUE`, the value as TOML or as plain text.

    :raises InputError: one has no equals sign, or names no field.
    """
    found: dict[str, Value] = {}
    for pair in pairs:
        field, equals, text = pair.partition("=")
        field = field.strip()
        table = field.partition(".")[0]
        if not equals or table not in RecipeFields.model_fields or field.count(".") > 1:
            raise InputError(
                f"{pair!r} sets no field of a recipe",
                expected="FIELD=VALUE with one of " + ", ".join(RecipeFields.model_fields),
                do="see `wheelyard recipe schema`",
            )
        found[field] = text if _is_text(table, text) else _value(text)
    return found


def _is_text(table: str, text: str) -> bool:
    """Whether a value stands for itself, quotes and all."""
    is_list = table == "config_settings" and text.startswith("[")
    return table in _TEXT_TABLES and text != "false" and not is_list


def _value(text: str) -> Value:
    try:
        value: Value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeChange:
    """What a file of the team's says before and after.

    :param fields: that were set, with their values.
    :param before: its text; None where there was no file.
    """

    project: str
    version: str
    variant: str
    path: Path
    fields: Mapping[str, Value]
    before: str | None
    after: str

    @classmethod
    def plan(
        cls,
        project: str,
        folder: Path,
        *,
        version: str,
        variant: str,
        packages: Sequence[str] = (),
        build_requires: Sequence[str] = (),
        settings: Mapping[str, Value],
    ) -> Self:
        """Make the new text; nothing is written.

        :param packages: Debian packages that are added to what the recipe says now.
        :param build_requires: build requirements that are.
        :param settings: fields that are set to a value.
        :raises InputError: nothing is asked for, or the new text would be no recipe.
        """
        recipe = get_recipe(project, folder, version=version, variant=variant)
        fields: dict[str, Value] = {**settings}
        if packages:
            fields["packages"] = list(dict.fromkeys([*recipe.packages, *packages]))
        if build_requires:
            fields["build_requires"] = list(dict.fromkeys([*recipe.build_requires, *build_requires]))
        if not fields:
            raise InputError(
                "nothing is asked to be changed", do="give --job, --package, --build-require or --set"
            )
        path = team_file(folder, project)
        before = path.read_text("utf-8") if path.is_file() else None
        after = set_fields(f"# {project}\n" if before is None else before, fields)
        parse_recipe_file(after, str(path))
        return cls(
            project=project,
            version=version,
            variant=variant,
            path=path,
            fields=fields,
            before=before,
            after=after,
        )

    def diff(self) -> list[str]:
        """The change as a unified diff, line by line; empty where there is none."""
        old = (self.before or "").splitlines()
        name = str(self.path)
        return list(
            difflib.unified_diff(
                old,
                self.after.splitlines(),
                name if self.before is not None else "/dev/null",
                name,
                lineterm="",
            )
        )

    def write(self, digest_at_service: Callable[[], str]) -> None:
        """Write the new text, and see that it says what was asked for where the service reads it.

        :param digest_at_service: digest of the team's file as the service has it now; empty for none.
        :raises InputError: it does not; the file is as it was before.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._put(self.after)
        try:
            self._check_effect(
                get_recipe(self.project, self.path.parent, version=self.version, variant=self.variant)
            )
            self._check_reader(digest_at_service())
        except BaseException:
            self._put(self.before)
            raise

    def _put(self, text: str | None) -> None:
        if text is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.write_text(text, "utf-8")

    def _check_effect(self, recipe: Recipe) -> None:
        says: dict[str, Any] = recipe.to_document()
        for name in ("packages", "build_requires"):
            wanted = self.fields.get(name)
            if wanted is not None and says.get(name) != wanted:
                raise InputError(
                    f"{name} at the top of {self.path} is not what holds for {self.project}",
                    expected=f"{wanted}",
                    found=f"{says.get(name)}, which the recipe says for a version or a variant",
                    do="write it there by hand",
                )

    def _check_reader(self, digest: str) -> None:
        if digest != str(Digest.of(self.after.encode())):
            raise InputError(
                f"the service does not read {self.path}; the file is as it was before",
                expected="one folder of recipes for this command, the service and its workers",
                do="run the command on the service's machine, or name its folder in WHEELYARD_RECIPES_DIR",
            )
