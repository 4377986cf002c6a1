"""A change of the team's recipe: shown before it is written, and taken back where it has no effect."""

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.recipe_change import RecipeChange, read_assignments, split_project
from wheelyard.recipes import get_recipe


def planned(folder, **fields):
    return RecipeChange.plan("demo", folder, **{"version": "1.0", "variant": "", "settings": {}, **fields})


def as_written(change):
    return lambda: str(Digest.of(change.path.read_bytes()))


def test_a_new_file_is_shown_and_written(tmp_path):
    change = planned(tmp_path, packages=["libyaml-dev"])
    assert not change.path.exists()
    assert change.diff()[0] == "--- /dev/null"
    assert '+packages = ["libyaml-dev"]' in change.diff()
    change.write(as_written(change))
    assert get_recipe("demo", tmp_path).packages == ("libyaml-dev",)


def test_packages_and_requirements_are_added_to_what_the_recipe_says_and_settings_take_its_place(tmp_path):
    (tmp_path / "demo.toml").write_text('packages = ["liba-dev"]  # for a\nmemory_per_job = 1\n')
    change = planned(
        tmp_path, packages=["libb-dev", "liba-dev"], build_requires=["cython"],
        settings=read_assignments(["memory_per_job=700", "environment.CFLAGS=-O1", "imports=['demo']"]),
    )  # fmt: skip
    change.write(as_written(change))
    recipe = get_recipe("demo", tmp_path)
    assert recipe.packages == ("liba-dev", "libb-dev")
    assert (recipe.build_requires, recipe.memory_per_job) == (("cython",), 700)
    assert (recipe.environment, recipe.imports) == ({"CFLAGS": "-O1"}, ("demo",))


def test_the_same_change_twice_is_none(tmp_path):
    change = planned(tmp_path, packages=["libb-dev"])
    change.write(as_written(change))
    assert planned(tmp_path, packages=["libb-dev"]).diff() == []


@pytest.mark.parametrize("before", [None, 'packages = ["liba-dev"]\n'])
def test_where_the_service_reads_another_folder_the_file_is_as_it_was(tmp_path, before):
    path = tmp_path / "demo.toml"
    if before is not None:
        path.write_text(before)
    with pytest.raises(InputError, match="the service does not read") as error:
        planned(tmp_path, packages=["libb-dev"]).write(lambda: "")
    assert "WHEELYARD_RECIPES_DIR" in error.value.do
    assert (path.read_text() if path.exists() else None) == before


def test_a_change_that_a_variant_hides_is_refused_and_taken_back(tmp_path):
    text = 'variant = "lean"\n[variants.lean]\npackages = ["other-dev"]\n'
    (tmp_path / "demo.toml").write_text(text)
    with pytest.raises(InputError, match="is not what holds for demo"):
        planned(tmp_path, packages=["libb-dev"]).write(lambda: "")
    assert (tmp_path / "demo.toml").read_text() == text


@pytest.mark.parametrize("pair", ["package=x", "environment", "environment.A.B=1", "=1"])
def test_what_sets_no_field_is_refused(pair):
    with pytest.raises(InputError, match="sets no field"):
        read_assignments([pair])


def test_a_value_that_can_not_be_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="wrong at packages"):
        planned(tmp_path, settings=read_assignments(["packages=libyaml-dev"]))
    with pytest.raises(InputError, match="nothing is asked"):
        planned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_setting_may_be_a_list():
    found = read_assignments(['config_settings.setup-args=["-Da=1", "-Db=2"]', "config_settings.x=-Dq='['"])
    assert found == {"config_settings.setup-args": ["-Da=1", "-Db=2"], "config_settings.x": "-Dq='['"}


def test_a_variable_is_text_even_where_it_looks_like_a_number():
    assert read_assignments(["environment.JOBS=4", "environment.X=false"]) == {
        "environment.JOBS": "4",
        "environment.X": False,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PyYAML", ("pyyaml", "")), ("PyYAML==6.0.1", ("pyyaml", "6.0.1"))],
)
def test_a_project_may_have_a_version(text, expected):
    assert split_project(text) == expected


@pytest.mark.parametrize("text", ["a b", "a>=1", "a==1,==2", "a @ https://example.invalid/a.whl"])
def test_what_is_more_than_a_project_is_refused(text):
    with pytest.raises(InputError):
        split_project(text)
