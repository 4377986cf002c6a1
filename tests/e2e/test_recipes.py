"""Recipes of a team, from its file to the wheel, in real containers."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
import venv
from pathlib import Path
from urllib.parse import urljoin

import pytest
from installer.sources import WheelFile

from tests.e2e.conftest import Stack
from tests.e2e.projects import C_SOURCE, PYPROJECT, extension

PATCH = """\
--- a/patchdemo.py
+++ b/patchdemo.py
@@ -1,3 +1,3 @@
 # The answer.
-answer = 1
+answer = 42
 # The end.
"""
PURE = "from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[{name!r}])\n"
FEATURES = """\
import os, pathlib
from setuptools import setup
pathlib.Path("variantdemo.py").write_text("features = %r\\n" % os.environ.get("FEATURES", "none"))
setup(name="variantdemo", version="1.0", py_modules=["variantdemo"])
"""
THIN = """\
from setuptools import Extension, setup
setup(name="thindemo", version="1.0", packages=["thindemo", "thindemo.tests"],
      ext_modules=[Extension("thindemo.core", ["core.c"])])
"""


@pytest.fixture(scope="module")
def recipes(stack: Stack) -> Path:
    """The team's folder, and the projects on the index."""
    site = stack.site
    for version, answer in (("1.0", 1), ("2.0", 2)):
        text = f"# The answer.\nanswer = {answer}\n# The end.\n"
        files = {"setup.py": PURE.format(name="patchdemo", version=version), "patchdemo.py": text}
        site.add_sdist("patchdemo", version, {"pyproject.toml": PYPROJECT, **files})
    site.add_sdist("variantdemo", "1.0", {"pyproject.toml": PYPROJECT, "setup.py": FEATURES})
    core = C_SOURCE.replace("PyInit_cdemo", "PyInit_core").replace('"cdemo"', '"core"')
    thin = {
        "thindemo/__init__.py": "",
        "thindemo/tests/__init__.py": "",
        "thindemo/tests/test_core.py": "import os\n",
    }
    site.add_sdist("thindemo", "1.0", {"pyproject.toml": PYPROJECT, "setup.py": THIN, "core.c": core, **thin})
    source = C_SOURCE.replace("cdemo", "yamldemo").replace("#include", "#include <yaml.h>\n#include", 1)
    site.add_sdist("yamldemo", "1.0", extension("yamldemo", "yamldemo", "yamldemo.c", source))
    folder = stack.folder / "recipes"
    folder.mkdir(exist_ok=True)
    return folder


def built(stack: Stack, *arguments: str) -> list[dict]:
    last = json.loads(stack.cli(*arguments, "--progress", "json").splitlines()[-1])
    assert last["type"] == "result"
    return last["result"]["wheels"]


def log_of_wheel(stack: Stack, title: str) -> str:
    job = next(
        job for job in stack.answer("jobs") if job["kind"] == "wheel" and job["title"].startswith(title)
    )
    return stack.cli("logs", job["id"], "--all")


def test_a_patch_is_applied_and_one_that_does_not_fit_names_itself_the_file_and_the_hunk(
    stack: Stack, recipes: Path
):
    (recipes / "fix-answer.patch").write_text(PATCH)
    (recipes / "patchdemo.toml").write_text(
        'smoke = "import patchdemo; assert patchdemo.answer == 42"\n[[patches]]\nfile = "fix-answer.patch"\n'
    )
    built(stack, "build", "patchdemo==1.0")
    assert "patch fix-answer.patch" in log_of_wheel(stack, "patchdemo 1.0")
    said = stack.cli("build", "patchdemo==2.0", "--progress", "plain", code=1)
    assert "the patch fix-answer.patch does not apply to patchdemo 2.0: hunk 1 of patchdemo.py" in said
    (recipes / "patchdemo.toml").write_text('[[patches]]\nfile = "fix-answer.patch"\nversions = "<2"\n')
    assert built(stack, "build", "patchdemo==2.0", "--refresh")[0]["version"] == "2.0"


def test_a_wheel_without_what_was_left_out_is_whole_and_can_be_installed(
    stack: Stack, recipes: Path, tmp_path: Path
):
    (recipes / "thindemo.toml").write_text(
        'leave_out = ["thindemo/tests/*", "*.pyx"]\nimports = ["thindemo.core"]\n'
    )
    (wheel,) = built(stack, "build", "thindemo")
    page = urllib.request.urlopen(f"{stack.url}/simple/thindemo/", timeout=10).read().decode()
    link = re.search(rf'href="([^"#]*{re.escape(wheel["filename"])})', page)
    assert link is not None
    path = tmp_path / wheel["filename"]
    path.write_bytes(
        urllib.request.urlopen(urljoin(f"{stack.url}/simple/thindemo/", link[1]), timeout=10).read()
    )
    with WheelFile.open(path) as source:
        source.validate_record()
        names = {record[0][0] for record in source.get_contents()}
    assert not [name for name in names if "/tests/" in name]
    venv.create(tmp_path / "env", with_pip=True)
    subprocess.run(
        [tmp_path / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", path],
        check=True, timeout=120, env={"PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    log = log_of_wheel(stack, "thindemo 1.0")
    assert re.search(r"left out of the wheel: 2 members, \d+ bytes", log)
    assert "leaves out '*.pyx', and the wheel has no such member" in log


def test_a_variant_is_built_and_tested_beside_the_default(stack: Stack, recipes: Path):
    (recipes / "variantdemo.toml").write_text(
        "smoke = \"import variantdemo; assert variantdemo.features == 'none', variantdemo.features\"\n"
        "[variants.lean]\n"
        'environment = { FEATURES = "lean" }\n'
        "smoke = \"import variantdemo; assert variantdemo.features == 'lean', variantdemo.features\"\n"
    )
    (plain,) = built(stack, "build", "variantdemo")
    (lean,) = built(stack, "build", "variantdemo", "--variant", "variantdemo=lean")
    assert plain["build_key"] != lean["build_key"]
    assert plain["digest"] != lean["digest"]
    (again,) = built(stack, "build", "variantdemo", "--refresh")
    assert (again["build_key"], again["hit"]) == (plain["build_key"], True)
    wrong = ("--variant", "variantdemo=large", "--progress", "plain")
    said = stack.cli("build", "variantdemo", *wrong, code=2)
    assert "one of lean" in said


def test_a_missing_header_names_the_line_that_mends_it_and_trying_it_builds(stack: Stack, recipes: Path):
    said = stack.cli("build", "yamldemo", "--progress", "plain", code=1)
    assert 'packages = ["libyaml-dev"] in recipes/yamldemo.toml' in said
    found = re.search(r"wheelyard recipe try yamldemo --job (\S+?)`", said)
    assert found is not None
    shown = stack.cli("recipe", "try", "yamldemo", "--job", found[1], "--dry-run")
    assert '+packages = ["libyaml-dev"]' in shown
    assert not (recipes / "yamldemo.toml").exists()
    stack.cli("recipe", "try", "yamldemo", "--job", found[1], "--progress", "plain")
    assert stack.answer("recipe", "show", "yamldemo")["fields"]["packages"] == ["libyaml-dev"]


def test_an_unknown_field_of_a_recipe_is_wrong_input_with_a_guess(stack: Stack, recipes: Path):
    files = {"setup.py": PURE.format(name="typodemo", version="1.0"), "typodemo.py": ""}
    stack.site.add_sdist("typodemo", "1.0", {"pyproject.toml": PYPROJECT, **files})
    (recipes / "typodemo.toml").write_text('package = ["libyaml-dev"]\n')
    said = stack.cli("build", "typodemo", "--progress", "plain", code=2)
    assert "perhaps you meant packages" in said
