"""Debian packages and natives of recipes, through the command line, in real containers."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.projects import PYPROJECT, extension
from tests.e2e.test_builds import built

PACKAGE_SOURCE = """\
#include <Python.h>
#include <yaml.h>
static PyObject *version(PyObject *self, PyObject *args) {
    return PyUnicode_FromString(yaml_get_version_string());
}
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "yamldemo", NULL, -1, methods};
PyMODINIT_FUNC PyInit_yamldemo(void) { return PyModule_Create(&module); }
"""
NATIVE_SOURCE = """\
#include <Python.h>
#include <tally.h>
static PyObject *count(PyObject *self, PyObject *args) { return PyLong_FromLong(tally(41)); }
static PyMethodDef methods[] = {{"count", count, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tallydemo", NULL, -1, methods};
PyMODINIT_FUNC PyInit_tallydemo(void) { return PyModule_Create(&module); }
"""
TALLY = {
    "tally-1.0/tally.h": "int tally(int);\n",
    "tally-1.0/tally.c": "int tally(int from) { return from + 1; }\n",
    "tally-1.0/main.c": '#include "tally.h"\nint main(void) { return tally(-1); }\n',
    "tally-1.0/Makefile": (
        "all:\n\tgcc -shared -fPIC -Wl,-soname,libtally.so.1 -o libtally.so.1 tally.c\n"
        "\tln -sf libtally.so.1 libtally.so\n\tgcc -o tally main.c -L. -ltally\n"
        "install:\n\tinstall -D -t $(DESTDIR)$(PREFIX)/lib libtally.so.1\n"
        "\tcp -P libtally.so $(DESTDIR)$(PREFIX)/lib/\n\tinstall -D -t $(DESTDIR)$(PREFIX)/bin tally\n"
        "\tinstall -D -m 644 -t $(DESTDIR)$(PREFIX)/include tally.h\n"
    ),
}
NATIVE_RECIPE = """\
description = "Counts on."
licence = "MIT"
steps = [["make"], ["make", "install", "DESTDIR=@OUT@", "PREFIX=@PREFIX@"]]
smoke = [["@PREFIX@/bin/tally"]]
[sources.bookworm]
version = "1.0"
files = [{{ path = "{address}", digest = "sha256:{digest}" }}]
"""


def with_library(name: str, library: str, source: str) -> dict[str, str]:
    """Files of an sdist whose extension is linked with a library."""
    files = extension(name, name, f"{name}.c", source)
    setup = files["setup.py"].replace(f"['{name}.c'])", f"['{name}.c'], libraries=[{library!r}])")
    assert library in setup
    return {**files, "setup.py": setup}


def plain(name: str) -> dict[str, str]:
    """Files of an sdist without anything in it."""
    setup = f"from setuptools import setup\nsetup(name={name!r}, version='1.0', py_modules=[])\n"
    return {"pyproject.toml": PYPROJECT, "setup.py": setup}


@pytest.fixture(scope="module")
def recipes(stack: Stack) -> Path:
    """The folder of the team's recipes."""
    folder = stack.folder / "recipes"
    (folder / "natives").mkdir(parents=True, exist_ok=True)
    return folder


def members(stack: Stack, wheel: dict) -> list[str]:
    """Names in a wheel as the index serves it."""
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    page = urllib.request.Request(f"{stack.url}/simple/{wheel['project']}/", headers=accept)
    with urllib.request.urlopen(page, timeout=30) as answer:
        files = {file["filename"]: file["url"] for file in json.load(answer)["files"]}
    address = urllib.parse.urljoin(page.full_url, files[wheel["filename"]])
    with (
        urllib.request.urlopen(address, timeout=30) as answer,
        zipfile.ZipFile(io.BytesIO(answer.read())) as pack,
    ):
        return pack.namelist()


def test_a_package_of_the_recipe_is_there_for_the_compile_alone_and_grafted(stack: Stack, recipes: Path):
    """The test's container has no libyaml: what imports there has it in its wheel."""
    stack.site.add_sdist("yamldemo", "1.0", with_library("yamldemo", "yaml", PACKAGE_SOURCE))
    said = stack.cli("build", "yamldemo", "--progress", "plain", code=1)
    assert "libyaml-dev" in said, "without a recipe it names the package"
    (recipes / "yamldemo.toml").write_text('packages = ["libyaml-dev"]\n')
    (wheel,) = built(stack, "yamldemo")
    assert any(name.startswith("yamldemo.libs/libyaml-0-") for name in members(stack, wheel))
    inputs = json.dumps(stack.answer("cache", "show", "yamldemo"))
    assert "libyaml-0-2" in inputs
    assert "libyaml-dev" in inputs


def test_a_package_that_debian_lacks_is_refused_with_one_that_it_has(stack: Stack, recipes: Path):
    stack.site.add_sdist("lackdemo", "1.0", plain("lackdemo"))
    (recipes / "lackdemo.toml").write_text('packages = ["libyml-dev"]\n')
    said = stack.cli("build", "lackdemo", "--progress", "plain", code=2)
    assert "Debian bookworm has no package libyml-dev" in said
    assert "libyaml-dev" in said


def test_a_native_is_built_first_compiled_against_and_grafted(stack: Stack, recipes: Path, tmp_path: Path):
    source = tmp_path / "tally-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as tar:
        for name, text in TALLY.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    recipe = NATIVE_RECIPE.format(address=f"file://{source}", digest=digest)
    (recipes / "natives" / "tally.toml").write_text(recipe)
    (recipes / "tallydemo.toml").write_text(
        'natives = ["tally"]\nsmoke = "import tallydemo; assert tallydemo.count() == 42"\n'
    )
    stack.site.add_sdist("tallydemo", "1.0", with_library("tallydemo", "tally", NATIVE_SOURCE))
    (wheel,) = built(stack, "tallydemo")
    assert any(name.startswith("tallydemo.libs/libtally-") for name in members(stack, wheel))
    natives = [job for job in stack.answer("jobs") if job["kind"] == "native"]
    assert [job["state"] for job in natives] == ["succeeded"]
    again = with_library("tallytwo", "tally", NATIVE_SOURCE.replace("tallydemo", "tallytwo"))
    stack.site.add_sdist("tallytwo", "1.0", again)
    (recipes / "tallytwo.toml").write_text('natives = ["tally"]\n')
    built(stack, "tallytwo")
    assert len([job for job in stack.answer("jobs") if job["kind"] == "native"]) == 1, "it is a hit"


def test_a_program_of_a_native_is_there_when_what_runs_it_is_tried(stack: Stack, recipes: Path):
    """It is there for what needs that one, too, and neither's key depends on it."""
    source = "import subprocess\nsubprocess.run(['tally'], check=True)\n"
    for name, text, needs in (("runstally", source, []), ("needsruns", "import runstally\n", ["runstally"])):
        setup = (
            f"from setuptools import setup\nsetup(name={name!r}, version='1.0', py_modules=[{name!r}], "
            f"install_requires={needs!r})\n"
        )
        files = {"pyproject.toml": PYPROJECT, "setup.py": setup, f"{name}.py": text}
        stack.site.add_sdist(name, "1.0", files)
    said = stack.cli("build", "needsruns", "--progress", "plain", code=1)
    assert "No such file or directory: 'tally'" in said
    (recipes / "runstally.toml").write_text('runtime_natives = ["tally"]\n')
    wheels = built(stack, "needsruns")
    assert {wheel["project"] for wheel in wheels} == {"needsruns", "runstally"}
    shown = json.dumps([stack.answer("cache", "show", wheel["project"]) for wheel in wheels])
    assert '"tally"' not in shown


def test_a_native_whose_source_is_another_one_is_refused(stack: Stack, recipes: Path, tmp_path: Path):
    source = tmp_path / "other-1.0.tar.gz"
    source.write_bytes(b"not what the recipe was written for")
    recipe = NATIVE_RECIPE.format(address=f"file://{source}", digest="0" * 64)
    (recipes / "natives" / "other.toml").write_text(recipe)
    (recipes / "otherdemo.toml").write_text('natives = ["other"]\n')
    stack.site.add_sdist("otherdemo", "1.0", plain("otherdemo"))
    said = stack.cli("build", "otherdemo", "--progress", "plain", code=3)
    assert "other-1.0.tar.gz" in said
