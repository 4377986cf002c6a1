"""The recipe line that would mend a failed build."""

from wheelyard.errors import BuildFailed, InfrastructureError
from wheelyard.recipes import Recipe
from worker.diagnosis import diagnose
from worker.mend import name_mend


def mended(line: str, packages: list[str], recipe: Recipe | None = None) -> BuildFailed:
    error = diagnose([line], title="pyyaml 6.0.1", phase="compile", said=[], code=1)
    return name_mend(
        error,
        lambda kind, name: packages,
        recipe=recipe or Recipe(project="pyyaml"),
        version="6.0.1",
        job="a1",
    )


HEADER = "yaml/_yaml.h:2:10: fatal error: yaml.h: No such file or directory"


def test_the_package_the_line_and_the_command_are_named_literally():
    error = mended(HEADER, ["libyaml-dev", "other-dev"])
    assert "the Debian package libyaml-dev (or other-dev) has the header yaml.h" in error.do
    assert 'packages = ["libyaml-dev"] in recipes/pyyaml.toml' in error.do
    assert "`wheelyard recipe try pyyaml --job a1`" in error.do
    assert error.facts["packages"] == ["libyaml-dev", "other-dev"]
    assert error.facts["recipe_line"] == 'packages = ["libyaml-dev"] in recipes/pyyaml.toml'
    assert (error.facts["project"], error.facts["version"]) == ("pyyaml", "6.0.1")
    assert error.facts["first_error"] == HEADER


def test_what_the_recipe_says_already_stays_in_the_line():
    recipe = Recipe(project="pyyaml", packages=("liba-dev", "libyaml-dev"))
    error = mended(HEADER, ["libyaml-dev", "other-dev"], recipe)
    assert 'packages = ["liba-dev", "libyaml-dev", "other-dev"]' in error.do


def test_a_package_that_is_there_already_is_not_named_again():
    error = mended(HEADER, ["libyaml-dev"], Recipe(project="pyyaml", packages=("libyaml-dev",)))
    assert "recipe_line" not in error.facts


def test_a_module_is_mended_by_a_build_requirement():
    error = mended("ModuleNotFoundError: No module named 'Cython'", ["cython3"])
    assert 'build_requires = ["cython"] in recipes/pyyaml.toml' in error.do
    assert error.facts["build_requires"] == ["cython"]
    assert "packages" not in error.facts


def test_a_hint_that_can_not_be_had_changes_nothing():
    def out(kind, name):
        raise InfrastructureError("no mirror")

    error = diagnose([HEADER], title="d", phase="compile", said=[], code=1)
    assert name_mend(error, out, recipe=Recipe(project="d"), version="1", job="a1") is error


def test_an_error_of_another_kind_stays_as_it_is():
    error = diagnose(["x.c:1:1: error: no"], title="d", phase="compile", said=[], code=1)
    assert (
        name_mend(error, lambda kind, name: ["x"], recipe=Recipe(project="d"), version="1", job="a1") is error
    )
