"""The document of a recipe: what can stand in it, and what is said of what can't."""

import pytest

from wheelyard.errors import InputError
from wheelyard.recipe_file import applies, parse_recipe_file

WHOLE = """
description = "Every field."
packages = ["libyaml-dev"]
config_settings = { "setup-args" = "-Dblas=openblas" }
natives = ["ffmpeg"]
build_requires = ["cython>=3"]
replace_build_requires = ["setuptools<81"]
memory_per_job = 1_500_000_000
leave_out = ["demo/tests/*"]
imports = ["demo", "demo.core"]
smoke = "import demo"
exclusive = ["Other_Demo"]
variant = "full"

[environment]
CFLAGS = "-O1"
MAX = false

[limits]
memory = "12G"

[[patches]]
file = "demo/fix.patch"
versions = "<2"

[[versions]]
when = ">=2,<3"
packages = []

[variants.full]
description = "All of it."
environment = { ALL = "1" }

[variants.lean]
limits = { seconds = "5h" }
"""


def refused(text):
    with pytest.raises(InputError) as error:
        parse_recipe_file(text, "recipes/demo.toml")
    assert "recipes/demo.toml" in error.value.failed
    return error.value


def test_every_field_is_read():
    file = parse_recipe_file(WHOLE, "recipes/demo.toml")
    assert file.exclusive == ["other-demo"]
    assert (file.limits.memory, file.variants["lean"].limits.seconds) == (12 << 30, 18000)
    assert file.environment == {"CFLAGS": "-O1", "MAX": False}
    assert file.versions[0].when == ">=2,<3"
    assert file.default_variant == "full"


@pytest.mark.parametrize(
    ("text", "field", "meant"),
    [
        ('package = ["x"]', "package", "packages"),
        ("env = {}", "env", "environment"),
        ('system-packages = ["x"]', "system-packages", "packages"),
        ("[limit]", "limit", "limits"),
        ("[limits]\nmemroy = 1", "limits.memroy", "memory"),
        ('[variants.full]\nconfig_setting = { a = "b" }', "variants.full.config_setting", "config_settings"),
        ('[[patches]]\nfile = "a.patch"\nversion = "<2"', "patches.0.version", "versions"),
        ('[[versions]]\nwen = "<2"\nwhen = "<2"', "versions.0.wen", "when"),
    ],
)
def test_an_unknown_field_is_answered_with_the_one_that_was_perhaps_meant(text, field, meant):
    error = refused(text)
    assert error.failed == f"the recipe recipes/demo.toml has an unknown field {field}"
    assert error.expected == f"perhaps you meant {meant}"


def test_a_field_that_is_like_no_other_is_answered_with_all_that_there_are():
    assert refused("zzz = 1").expected.startswith("one of packages, environment")


def test_a_setting_may_be_given_several_times():
    recipe = parse_recipe_file('config_settings = { "setup-args" = ["-Da=1", "-Db=2"] }', "a.toml")
    assert recipe.config_settings == {"setup-args": ["-Da=1", "-Db=2"]}


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ('packages = "libyaml-dev"', "packages", "a list in [ ]"),
        ("packages = [1]", "packages.0", "text in quotes"),
        ('memory_per_job = "1"', "memory_per_job", "a whole number"),
        ("environment = { X = 4 }", "environment.X", "text in quotes, or false to take it away"),
        (
            'config_settings = { "setup-args" = ["-Da=1", 2] }',
            "config_settings.setup-args",
            "text in quotes, a list of such, or false",
        ),
        (
            "[variants.full]\nenvironment = { X = 4 }",
            "variants.full.environment.X",
            "text in quotes, or false",
        ),
        ('inherit = "no"', "inherit", "true or false"),
        ("limits = 4", "limits", "a table"),
        ('[limits]\nmemory = "much"', "limits.memory", "a size"),
        ('[[versions]]\npackages = ["x1"]', "versions.0.when", "can't be left out"),
        ('[[versions]]\nwhen = "2 or so"', "versions.0.when", "PEP 440"),
        ('[[patches]]\nfile = "a.patch"\nversions = "~2"', "patches.0.versions", "PEP 440"),
        ('[[patches]]\nfile = "../a.patch"', "patches.0.file", "no way out"),
        ('[[patches]]\nfile = "/etc/passwd"', "patches.0.file", "no way out"),
        ('[[patches]]\nfile = "a/b/c.patch"', "patches.0.file", "no way out"),
        ('build_requires = ["cython>"]', "build_requires.0", "PEP 508"),
        ('build_requires = ["cython @ https://example.invalid/c.whl"]', "build_requires.0", "the index"),
        ('imports = ["os; import sys"]', "imports.0", "a module's name"),
        ('smoke = "import"', "smoke", "Python source"),
        ('smoke = """\nimport cv2\nassert cv2.\n"""', "smoke", "line 2"),
        ('packages = ["Not A Package"]', "packages.0", "pattern"),
    ],
)
def test_a_wrong_value_is_answered_with_its_place_and_what_would_be_right(text, place, expected):
    error = refused(text)
    assert error.failed == f"the recipe recipes/demo.toml is wrong at {place}"
    assert expected in error.expected
    assert error.facts["field"] == place


def test_what_is_no_toml_says_where():
    assert "line 1" in refused("packages = [").found or "end of document" in refused("packages = [").found


def test_two_default_variants_are_refused():
    error = refused("[variants.a]\ndefault = true\n[variants.b]\ndefault = true\n")
    assert error.found == "a, b"
    assert refused('variant = "b"\n[variants.a]\ndefault = true\n[variants.b]\n').found == "a, b"


@pytest.mark.parametrize(
    ("specifier", "version", "holds"),
    [
        ("", "", True),
        ("", "1.0", True),
        (">=2,<3", "2.4.6", True),
        (">=2,<3", "3.0", False),
        (">=2", "2.1rc1", True),
        (">=2", "", False),
        (">=2", "not a version", False),
    ],
)
def test_a_specifier_holds_for_its_versions(specifier, version, holds):
    assert applies(specifier, version) is holds
