"""An image's file: its fields, paths from its folder on, and what is said of one that is wrong."""

import json

import pytest

from wheelyard.build_request import BuildRequest
from wheelyard.cli.image_options import merged, own_tags
from wheelyard.errors import InputError
from wheelyard.image_file import image_schema, parse_image_file, read_image_file

WHOLE = """
requirements = ["numpy", "./lib"]
requirement_files = ["uv.lock"]
app = "src"
packages = ["ffmpeg"]
entrypoint = ["python3", "main.py"]
size_budget = "250 MB"
ports = ["8080"]
tags = ["team/app:1.2"]

[environment]
MODE = "fast"

[healthcheck]
test = ["python3", "probe.py"]
interval = 10
"""


def file(tmp_path, text, name="image.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_paths_are_those_from_the_folder_of_the_file_on(tmp_path):
    given = read_image_file(file(tmp_path, WHOLE))
    assert given["requirements"] == ["numpy", f"{tmp_path}/lib"]
    assert given["requirement_files"] == [f"{tmp_path}/uv.lock"]
    assert given["app"] == f"{tmp_path}/src"


def test_a_relative_folder_stays_a_path_and_is_no_requirement(tmp_path, monkeypatch):
    (tmp_path / "deploy").mkdir()
    file(tmp_path / "deploy", 'requirements = [".", "../lib"]')
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    given = read_image_file(Path("deploy/image.toml"))
    assert given["requirements"] == ["./deploy", "./deploy/../lib"]


def test_an_image_is_asked_for_by_what_the_file_says(tmp_path):
    asked = parse_image_file(read_image_file(file(tmp_path, WHOLE)), "here")
    request = asked.checked_request(BuildRequest(requirements=("numpy",), toolchain="t"))
    assert request.size_budget == 250_000_000
    assert request.ports == ("8080/tcp",)
    assert request.environment == {"MODE": "fast"}
    assert request.healthcheck is not None
    assert (request.healthcheck.test, request.healthcheck.interval) == (("python3", "probe.py"), 10.0)


def test_a_pyproject_has_it_in_a_table_of_its_own(tmp_path):
    text = '[project]\nname = "x"\n[tool.wheelyard.image]\nworkdir = "/srv"\n'
    assert read_image_file(file(tmp_path, text, "pyproject.toml")) == {"workdir": "/srv"}
    with pytest.raises(InputError, match="says nothing of an image"):
        read_image_file(file(tmp_path, '[project]\nname = "x"\n', "pyproject.toml"))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("entrypiont = []", "entrypoint"),
        ("env = {}", "environment"),
        ("apt = []", "packages"),
        ("healthcheck.retrys = 2", "retries"),
        ("limits.memori = 2", "memory"),
    ],
)
def test_an_unknown_field_says_which_one_was_perhaps_meant(tmp_path, line, meant):
    path = file(tmp_path, 'healthcheck.test = ["x"]\n' * line.startswith("healthcheck") + line)
    with pytest.raises(InputError) as caught:
        read_image_file(path)
    assert caught.value.expected == f"perhaps you meant {meant}"
    assert str(path) in caught.value.failed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('entrypoint = "python3 main.py"', "a list in [ ]"),
        ('size_budget = "large"', "a size is a number of bytes"),
        ("size_budget = 0", "greater than or equal to 1"),
        ('format = "tar"', "'oci' or 'docker'"),
        ("environment = { A = 1 }", "text in quotes"),
        ("labels = { 'a b' = 'x' }", "pattern"),
    ],
)
def test_a_value_that_can_not_be_is_refused_where_it_stands(tmp_path, line, words):
    with pytest.raises(InputError) as caught:
        read_image_file(file(tmp_path, line))
    assert words in caught.value.expected


@pytest.mark.parametrize("text", ["requirements = [", "\xff = 1", 'a = "b"\na = "c"'])
def test_what_is_not_toml_is_named(tmp_path, text):
    path = tmp_path / "image.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="is not TOML"):
        read_image_file(path)


def test_options_go_before_the_file_and_tables_are_laid_over_it():
    in_file = {"workdir": "/srv", "packages": ["curl"], "environment": {"A": "1", "B": "1"}}
    options = {"workdir": None, "packages": ["ffmpeg"], "environment": {"B": "2"}}
    assert merged(in_file, options) == {
        "workdir": "/srv",
        "packages": ["ffmpeg"],
        "environment": {"A": "1", "B": "2"},
    }


def test_a_tag_of_another_registry_is_not_one_of_the_services_own():
    tags = ["app", "team/app:1.2", "registry.example/app:1", "localhost/app", "host:5000/app:2"]
    assert own_tags(tags) == ["app:latest", "team/app:1.2"]
    assert own_tags(["localhost/app"]) is None


def test_the_schema_knows_every_field_and_refuses_others():
    schema = json.loads(json.dumps(image_schema()))
    assert {"requirements", "app", "size_budget", "healthcheck", "policy_file"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
