"""The recipes that are shipped: each can be used, and the published schema says the same of them."""

import json
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from wheelyard.errors import InputError
from wheelyard.recipe_check import check_recipe, recipes_to_check
from wheelyard.recipe_file import parse_recipe_file, recipe_schema
from wheelyard.recipe_layers import projects_with_recipe, shipped_folder
from wheelyard.recipes import get_recipe

ROOT = Path(__file__).parents[3]
SHIPPED = projects_with_recipe(None)
SCHEMA = jsonschema_rs.Draft202012Validator(recipe_schema())


@pytest.mark.parametrize("project", SHIPPED)
def test_it_can_be_used_and_fits_the_schema(project):
    path = shipped_folder() / f"{project}.toml"
    assert check_recipe(path, team=False).startswith("fine")
    document = tomllib.loads(path.read_text("utf-8"))
    SCHEMA.validate(document)
    for variant in document.get("variants", {}):
        assert get_recipe(project, variant=variant).project == project


def test_numpys_smoke_test_asserts_its_blas():
    assert "openblas" in get_recipe("numpy").smoke


def test_the_published_schema_is_the_models():
    published = json.loads((ROOT / "docs" / "reference" / "recipe.schema.json").read_text("utf-8"))
    assert published == recipe_schema()


@pytest.mark.parametrize(
    "text",
    [
        'package = ["x"]',
        'packages = "x"',
        "environment = { X = 4 }",
        "[limits]\nmemroy = 1",
        '[limits]\nmemory = "much"',
        '[[patches]]\nfile = "../a.patch"',
        '[[versions]]\npackages = ["x1"]',
        "[variants.full]\nvariants = {}",
    ],
)
def test_the_schema_refuses_what_the_model_refuses(text):
    with pytest.raises(InputError):
        parse_recipe_file(text, "demo.toml")
    assert not SCHEMA.is_valid(tomllib.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        '[limits]\nmemory = "12G"\nseconds = "5h"',
        "environment = { X = false }",
        'variant = ""',
        "[variants.a]",
    ],
)
def test_the_schema_takes_what_the_model_takes(text):
    parse_recipe_file(text, "demo.toml")
    SCHEMA.validate(tomllib.loads(text))


def test_files_and_names_are_checked_and_all_of_them_without_a_name(tmp_path):
    (tmp_path / "numpy.toml").write_text('packages = ["x1"]\n')
    assert [team for _path, team in recipes_to_check(["numpy"], tmp_path)] == [False, True]
    assert [path for path, _team in recipes_to_check([str(tmp_path / "numpy.toml")], None)] == [
        tmp_path / "numpy.toml"
    ]
    assert len(list(recipes_to_check([], tmp_path))) == len(SHIPPED) + 1
    for wrong in ("no-such-project", "no/such.toml"):
        with pytest.raises(InputError):
            list(recipes_to_check([wrong], tmp_path))
