"""`wheelyard recipe`, against the fake service."""

import json

import pytest

from wheelyard.errors import BuildFailed

LINE = 'packages = ["libyaml-dev"] in recipes/pyyaml.toml'


@pytest.fixture
def recipes(service, monkeypatch, tmp_path):
    """The team's folder, which this machine and the service share."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    monkeypatch.setenv("WHEELYARD_RECIPES_DIR", str(folder))
    service.recipes_dir = folder
    return folder


@pytest.fixture
def failed(service):
    job = service.add_job("build", "pyyaml", {"toolchain": "debian12-cp311"})
    facts = {"packages": ["libyaml-dev"], "recipe_line": LINE, "project": "pyyaml", "version": "6.0.1"}
    service.fail(job, BuildFailed("pyyaml 6.0.1: the phase compile failed", **facts))
    return job


def test_list_shows_whose_each_recipe_is_and_its_variants(command, recipes):
    (recipes / "demo.toml").write_text(
        'description = "Why."\n[variants.full]\ndefault = true\n[variants.lean]\n'
    )
    rows = [line.split() for line in command("recipe", "list").out.splitlines()]
    assert rows[0] == ["PROJECT", "ORIGIN", "VARIANTS", "DESCRIPTION"]
    assert ["demo", "team", "full", "(default),", "lean", "Why."] in rows
    assert any(row[:2] == ["numpy", "shipped"] for row in rows)
    assert json.loads(command("recipe", "list", "--json").out)[0]["project"]


def test_show_says_each_field_below_the_file_that_says_it(command, recipes):
    (recipes / "numpy.toml").write_text(
        'environment = { A = "1" }\n[[versions]]\nwhen = ">=2"\npackages = ["liba-dev"]\n'
    )
    out = command("recipe", "show", "numpy", "--version", "2.4.6").out
    shipped, team, rule = (
        out.index(f"# {name}\n")
        for name in (
            "infra/recipes/numpy.toml",
            recipes / "numpy.toml",
            f"{recipes / 'numpy.toml'}, versions >=2",
        )
    )
    assert shipped < out.index("smoke = ") < team < out.index('environment.A = "1"') < rule
    assert rule < out.index('packages = ["liba-dev"]')
    assert "liba-dev" not in command("recipe", "show", "numpy", "--version", "1.26").out
    assert "no recipe" in command("recipe", "show", "needs-none").out


def test_an_unknown_variant_is_wrong_input(command, recipes):
    (recipes / "demo.toml").write_text("[variants.full]\n")
    ended = command("recipe", "show", "demo", "--variant", "fool")
    assert ended.code == 2
    assert "one of full" in ended.err


def test_check_names_every_wrong_file_and_ends_with_two(command, recipes):
    assert command("recipe", "check").code == 0
    (recipes / "one.toml").write_text("package = []\n")
    (recipes / "two.toml").write_text('[[patches]]\nfile = "gone.patch"\n')
    ended = command("recipe", "check")
    assert ended.code == 2
    assert "perhaps you meant packages" in ended.err
    assert "gone.patch" in ended.err
    assert "numpy.toml: fine" in ended.out
    assert command("recipe", "check", str(recipes / "one.toml")).code == 2
    assert command("recipe", "check", "numpy").code == 0
    assert command("recipe", "check", "no-such-project").code == 2


def test_schema_is_one_json_document(command):
    assert "packages" in json.loads(command("recipe", "schema").out)["properties"]


def test_try_takes_what_a_failed_job_wants_writes_it_and_builds_again(command, service, recipes, failed):
    ended = command("recipe", "try", "PyYAML", "--job", failed.id, "--detach")
    assert ended.code == 0, ended.err
    assert '+packages = ["libyaml-dev"]' in ended.out
    assert 'packages = ["libyaml-dev"]' in (recipes / "pyyaml.toml").read_text()
    job = service.jobs[ended.out.splitlines()[-1]]
    assert (job.spec["requirements"], job.spec["refresh"]) == (["pyyaml==6.0.1"], True)
    assert job.spec["toolchain"] == "debian12-cp311"


def test_try_with_a_dry_run_changes_and_asks_nothing(command, service, recipes):
    jobs = len(service.jobs)
    ended = command(
        "recipe", "try", "demo==1.0", "--package", "liba-dev", "--set", "environment.X=1", "--dry-run"
    )
    assert ended.code == 0
    assert '+environment.X = "1"' in ended.out
    assert (list(recipes.iterdir()), len(service.jobs)) == ([], jobs)


def test_try_asks_for_the_variant(command, service, recipes):
    (recipes / "demo.toml").write_text("[variants.full]\n")
    ended = command("recipe", "try", "demo", "--variant", "full", "--set", "memory_per_job=1", "--detach")
    assert ended.code == 0, ended.err
    assert service.jobs[ended.out.splitlines()[-1]].spec["variants"] == {"demo": "full"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo"], "--package"),
        (["demo", "--set", "colour=red"], "sets no field"),
        (["demo>=2", "--package", "x1"], "NAME==VERSION"),
        (["demo", "--package", "Not A Package"], "wrong at packages"),
    ],
)
def test_try_says_what_can_not_be_tried(command, recipes, arguments, words):
    ended = command("recipe", "try", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert list(recipes.iterdir()) == []


def test_try_refuses_a_job_that_lacks_something_else(command, service, recipes, failed):
    ended = command("recipe", "try", "numpy", "--job", failed.id)
    assert ended.code == 2
    assert f"wheelyard recipe try pyyaml --job {failed.id}" in ended.err
    plain = service.add_job("build", "scipy")
    service.fail(plain, BuildFailed("scipy: it failed"))
    assert "names no recipe line" in command("recipe", "try", "scipy", "--job", plain.id).err


def test_try_where_the_service_reads_another_folder_changes_nothing(command, service, recipes, tmp_path):
    service.recipes_dir = tmp_path / "elsewhere"
    ended = command("recipe", "try", "demo", "--package", "liba-dev")
    assert ended.code == 2
    assert "the service does not read" in ended.err
    assert list(recipes.iterdir()) == []
    assert not [path for method, path in service.requests if method == "POST"]


def test_try_without_a_folder_of_recipes_says_where_to_run(command, service):
    ended = command("recipe", "try", "demo", "--package", "liba-dev")
    assert ended.code == 2
    assert "WHEELYARD_RECIPES_DIR" in ended.err
