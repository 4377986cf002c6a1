"""What a recipe says of a version and a variant, out of its layers."""

import pytest

from wheelyard import recipe_layers
from wheelyard.errors import InputError, NotFound
from wheelyard.recipe_layers import recipes_key
from wheelyard.recipes import get_recipe, list_recipes, resolve_recipe

PATCH = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder in the place of the shipped recipes."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(recipe_layers, "shipped_folder", lambda: folder)
    return folder


@pytest.fixture
def team(tmp_path):
    folder = tmp_path / "team"
    folder.mkdir()
    return folder


def test_a_project_without_a_recipe_has_the_empty_one(shipped, team):
    found = resolve_recipe("demo", team)
    assert (found.layers, found.recipe.packages, found.recipe.replaced_build_requires) == ((), (), None)


def test_a_folder_that_does_not_exist_holds_no_recipe(shipped, team):
    assert get_recipe("demo", team / "nothing").project == "demo"
    assert list_recipes(team / "nothing") == ()


def test_the_teams_file_goes_over_the_shipped_one_field_by_field(shipped, team):
    (shipped / "demo.toml").write_text(
        'packages = ["liba-dev"]\nimports = ["demo"]\n[environment]\nA = "1"\nB = "1"\nC = "1"\n'
        '[limits]\nmemory = "4G"\npids = 100\n'
    )
    (team / "demo.toml").write_text(
        'packages = ["libb-dev"]\nenvironment = { B = "2", C = false }\nlimits = { memory = "8G" }\n'
    )
    found = resolve_recipe("demo", team)
    assert found.recipe.packages == ("libb-dev",)
    assert found.recipe.imports == ("demo",)
    assert found.recipe.environment == {"A": "1", "B": "2"}
    assert found.recipe.limits.to_document() == {"memory": 8 << 30, "pids": 100}
    assert found.origins["imports"] == found.origins["environment.A"] == "infra/recipes/demo.toml"
    assert found.origins["packages"] == found.origins["environment.B"] == str(team / "demo.toml")
    assert "environment.C" not in found.origins


def test_a_team_may_begin_from_nothing(shipped, team):
    (shipped / "demo.toml").write_text('packages = ["liba-dev"]\n[variants.full]\n')
    (team / "demo.toml").write_text('inherit = false\nimports = ["demo"]\n')
    found = resolve_recipe("demo", team)
    assert (found.recipe.packages, found.variants) == ((), ())
    assert [layer.team for layer in found.layers] == [True]


def test_what_holds_for_some_versions_goes_over_what_holds_for_all_and_a_variant_over_both(shipped, team):
    (shipped / "demo.toml").write_text(
        'packages = ["all-dev"]\nvariant = "full"\n'
        '[[versions]]\nwhen = ">=2"\npackages = ["two-dev"]\nbuild_requires = ["cython"]\n'
        '[[versions]]\nwhen = ">=2.5"\nreplace_build_requires = []\n'
        "[variants.full]\n"
        '[variants.lean]\npackages = []\nleave_out = ["demo/tests/*"]\n'
    )
    assert get_recipe("demo", team).packages == ("all-dev",)
    assert get_recipe("demo", team, version="1.9").packages == ("all-dev",)
    assert get_recipe("demo", team, version="2.0").packages == ("two-dev",)
    later = resolve_recipe("demo", team, version="2.5", variant="lean")
    assert (later.recipe.packages, later.recipe.build_requires) == ((), ("cython",))
    assert later.recipe.replaced_build_requires == ()
    assert later.origins["packages"] == "infra/recipes/demo.toml, variant lean"
    assert later.origins["build_requires"] == "infra/recipes/demo.toml, versions >=2"


def test_the_default_variant_is_the_same_whether_it_is_named_or_not(shipped, team):
    (shipped / "demo.toml").write_text(
        '[variants.full]\ndefault = true\nenvironment = { F = "1" }\n[variants.lean]\n'
    )
    named, unnamed = get_recipe("demo", team, variant="full"), get_recipe("demo", team)
    assert named == unnamed
    assert (named.variant, named.environment) == ("", {"F": "1"})
    lean = get_recipe("demo", team, variant="lean")
    assert (lean.variant, lean.environment) == ("lean", {})


def test_a_team_may_choose_another_default_and_add_a_variant(shipped, team):
    (shipped / "demo.toml").write_text('variant = "full"\n[variants.full]\nenvironment = { F = "1" }\n')
    (team / "demo.toml").write_text('variant = "ours"\n[variants.ours]\nenvironment = { O = "1" }\n')
    found = resolve_recipe("demo", team)
    assert (found.default_variant, found.variants) == ("ours", ("full", "ours"))
    assert found.recipe.environment == {"O": "1"}
    assert get_recipe("demo", team, variant="full").environment == {"F": "1"}


def test_an_unknown_variant_is_answered_with_those_that_there_are(shipped, team):
    (shipped / "demo.toml").write_text("[variants.full]\n[variants.lean]\n")
    with pytest.raises(NotFound) as error:
        get_recipe("demo", team, variant="vidoe")
    assert error.value.expected == "one of full, lean"
    with pytest.raises(NotFound, match="'lean'") as error:
        get_recipe("other", team, variant="lean")
    assert "no variants" in error.value.expected


def test_a_default_variant_that_does_not_exist_is_the_recipes_fault(shipped, team):
    (team / "demo.toml").write_text('variant = "ful"\n[variants.full]\n')
    with pytest.raises(InputError, match="default variant 'ful'") as error:
        get_recipe("demo", team)
    assert not isinstance(error.value, NotFound)


def test_patches_come_in_their_order_for_their_versions(shipped, team):
    (team / "demo").mkdir()
    (team / "demo" / "second.patch").write_text(PATCH)
    (team / "first.patch").write_bytes(PATCH.replace("\n", "\r\n").encode())
    (team / "demo.toml").write_text(
        '[[patches]]\nfile = "first.patch"\n[[patches]]\nfile = "demo/second.patch"\nversions = "<2"\n'
    )
    assert [patch.name for patch in get_recipe("demo", team).patches] == ["first.patch"]
    patches = get_recipe("demo", team, version="1.0").patches
    assert [patch.name for patch in patches] == ["first.patch", "demo/second.patch"]
    assert "\r\n" in patches[0].text
    assert patches[0].digest != patches[1].digest


def test_a_team_may_name_a_shipped_patch(shipped, team):
    (shipped / "fix.patch").write_text(PATCH)
    (team / "demo.toml").write_text('[[patches]]\nfile = "fix.patch"\n')
    assert get_recipe("demo", team).patches[0].text == PATCH


@pytest.mark.parametrize(
    ("prepare", "found"),
    [
        (lambda team: None, "nothing there"),
        (lambda team: (team / "fix.patch").write_text("not a diff\n"), "none"),
        (lambda team: (team / "fix.patch").write_bytes(b"--- a\n+++ b\n@@ \xff"), "utf-8"),
        (lambda team: (team / "fix.patch").symlink_to("/etc/passwd"), "a link to"),
    ],
)
def test_a_patch_that_can_not_be_used_names_its_recipe(shipped, team, prepare, found):
    prepare(team)
    (team / "demo.toml").write_text('[[patches]]\nfile = "fix.patch"\n')
    with pytest.raises(InputError) as error:
        get_recipe("demo", team)
    assert str(team / "demo.toml") in error.value.failed
    assert "fix.patch" in error.value.failed
    assert found in error.value.found


def test_a_file_that_would_never_be_read_is_said(shipped, team):
    (team / "My_Demo.toml").write_text("")
    with pytest.raises(InputError) as error:
        list_recipes(team)
    assert "my-demo.toml" in error.value.expected


def test_the_list_says_whose_each_recipe_is(shipped, team):
    (shipped / "both.toml").write_text('description = "Shipped."\n[variants.full]\ndefault = true\n')
    (shipped / "alone.toml").write_text("")
    (team / "both.toml").write_text('description = "Ours."\n')
    alone, both = list_recipes(team)
    assert (alone.project, alone.origin) == ("alone", "shipped")
    assert (both.origin, both.description, both.variants) == ("shipped, team", "Ours.", ("full",))


def test_the_key_of_all_recipes_follows_each_file_that_may_be_one(shipped, team):
    seen = [recipes_key(None), recipes_key(team / "nothing")]
    assert seen[0] == seen[1] == recipes_key(team)
    (shipped / "demo.toml").write_text('packages = ["liba-dev"]\n')
    seen.append(recipes_key(team))
    (team / "patches").mkdir()
    (team / "patches" / "demo.patch").write_text(PATCH)
    seen.append(recipes_key(team))
    (team / "patches" / "demo.patch").write_text(PATCH.replace("+b", "+bb"))
    seen.append(recipes_key(team))
    assert len(set(seen)) == 4
    (team / ".git").mkdir()
    (team / ".git" / "index").write_text("x")
    (team / "demo.toml").symlink_to(team / "gone")
    assert recipes_key(team) == seen[-1]
