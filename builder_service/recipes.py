"""Addresses of recipes: which there are, and what one says of a version and variant."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from packaging.utils import canonicalize_name
from pydantic import BaseModel, Field

from builder_service.problems import responses
from builder_service.projects import Name
from builder_service.services import Opened
from wheelyard.recipes import list_recipes, resolve_recipe

router = APIRouter(prefix="/v1/recipes", tags=["recipes"])


class RecipeLine(BaseModel):
    """A recipe in the list of all."""

    project: str
    origin: str = Field(description="`shipped`, `team`, or both, the team's laid over the shipped one.")
    variants: list[str]
    default_variant: str = Field(description="Built where nobody names a variant; empty means none of them.")
    description: str


class RecipeList(BaseModel):
    """Recipes by project."""

    recipes: list[RecipeLine]


class RecipeLayer(BaseModel):
    """One file of a recipe."""

    name: str
    team: bool = Field(description="Whether it is the team's own.")
    digest: str = Field(description="Of its text.")


class RecipeDocument(BaseModel):
    """What a recipe says of one version in one variant; a project without one has no layers and no fields."""

    project: str
    variant: str
    variants: list[str]
    default_variant: str
    fields: dict[str, Any] = Field(description="As its file names them; what says nothing is absent.")
    origins: dict[str, str] = Field(description="By field: the layer that said it last.")
    layers: list[RecipeLayer]


@router.get("", operation_id="list_recipes", summary="Every recipe", responses=responses(422))
def listing(services: Opened) -> RecipeList:
    """Those that are shipped, and those of the team's own folder."""
    found = list_recipes(services.settings.recipes_dir)
    return RecipeList(recipes=[RecipeLine.model_validate(asdict(line)) for line in found])


@router.get(
    "/{project}", operation_id="get_recipe", summary="What the recipe of a project says",
    responses=responses(404, 422),
)  # fmt: skip
def one(
    project: Name,
    services: Opened,
    version: Annotated[str, Query(max_length=200, description="That would be built; empty for all.")] = "",
    variant: Annotated[str, Query(max_length=63, description="Empty means the default one.")] = "",
) -> RecipeDocument:
    """Every name has an answer, for most projects need no recipe. The origins say which file says what."""
    found = resolve_recipe(
        canonicalize_name(project), services.settings.recipes_dir, version=version, variant=variant
    )
    return RecipeDocument.model_validate(found.to_document())
