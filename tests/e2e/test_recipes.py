"""Recipes of a team, from its file to the wheel, in real containers."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from installer.sources import WheelFile

from tests.e2e.conftest import Stack, stack_with_toolchain
from tests.index_site import IndexSite
from worker.engine.contract import Engine

PATCH = """\
--- a/patchdemo/__init__.py
+++ b/patchdemo/__init__.py
@@ -1,3 +1,3 @@
 # The answer.
-answer = 1
+answer = 42
 # The end.
"""
# A backend of the projects' own (PEP 517), so that no build requirement has to be fetched.
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "{name}"
version = "{version}"
"""
BACKEND = """\
import base64, csv, hashlib, io, os, pathlib, subprocess, zipfile
NAME, VERSION = {name!r}, {version!r}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    for source in pathlib.Path().glob("*.c"):
        subprocess.run(["gcc", "-c", str(source), "-o", "/dev/null"], check=True)
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    files = {{str(path): path.read_bytes() for path in pathlib.Path(NAME).rglob("*.py")}}
    files[f"{{NAME}}/features.py"] = ('features = "%s"\\n' % os.environ.get("FEATURES", "none")).encode()
    files[info + "/METADATA"] = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n".encode()
    files[info + "/WHEEL"] = b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    rows = []
    for path, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        rows.append([path, "sha256=" + digest, len(body)])
    record = io.StringIO()
    csv.writer(record, lineterminator="\\n").writerows([*rows, [info + "/RECORD", "", ""]])
    wheel = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / wheel, "w") as pack:
        for path, body in {{**files, info + "/RECORD": record.getvalue()}}.items():
            pack.writestr(path, body)
    return wheel
"""


def add(site: IndexSite, name: str, version: str = "1.0", files: dict[str, str] | None = None) -> None:
    """Put a project on the index whose package has the given files beside an empty `__init__.py`."""
    texts = {"pyproject.toml": PYPROJECT, "backend.py": BACKEND}
    known = {path: text.format(name=name, version=version) for path, text in texts.items()}
    site.add_sdist(name, version, {**known, f"{name}/__init__.py": "", **(files or {})})


@pytest.fixture(scope="module")
def stack(site: IndexSite, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack over a bucket with a toolchain in it; its recipes lie where `up` looks by itself."""
    with stack_with_toolchain(tmp_path_factory.mktemp("recipes"), engine, site) as running:
        running.cli("cache", "rebuild-db")
        yield running


@pytest.fixture(scope="module")
def recipes(stack: Stack) -> Path:
    """The team's folder, and the projects on the index."""
    for version, answer in (("1.0", 1), ("2.0", 2)):
        text = f"# The answer.\nanswer = {answer}\n# The end.\n"
        add(stack.site, "patchdemo", version, {"patchdemo/__init__.py": text})
    add(stack.site, "variantdemo")
    tests = {"thindemo/tests/__init__.py": "", "thindemo/tests/test_core.py": "import os\n"}
    add(stack.site, "thindemo", files={"thindemo/core.py": "", **tests})
    add(stack.site, "mendyaml", files={"mendyaml.c": "#include <yaml.h>\n"})
    add(stack.site, "typodemo")
    folder = stack.folder / "data" / "recipes"
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
    refused = "the patch fix-answer.patch does not apply to patchdemo-2.0.tar.gz"
    assert f"{refused}: hunk 1 of patchdemo/__init__.py" in said
    (recipes / "patchdemo.toml").write_text('[[patches]]\nfile = "fix-answer.patch"\nversions = "<2"\n')
    assert built(stack, "build", "patchdemo==2.0", "--refresh")[0]["version"] == "2.0"


def test_names_of_debian_s_alternatives_are_there_for_a_build(stack: Stack, recipes: Path):
    """`aclocal` is a link that automake's own script would make, and no script of a package is run."""
    call = '    subprocess.run(["aclocal", "--version"], check=True)\n'
    backend = BACKEND.replace("    for source in", f"{call}    for source in")
    add(stack.site, "autodemo", files={"backend.py": backend.format(name="autodemo", version="1.0")})
    stack.site.add_wheel("autodemo", "1.0")
    (recipes / "autodemo.toml").write_text('packages = ["automake"]\n')
    assert built(stack, "build", "autodemo")[0]["version"] == "1.0"


LOST = """\
--- a/pyproject.toml
+++ b/pyproject.toml
@@ -1,3 +1,3 @@
 [build-system]
-requires = ["no-such-tool"]
+requires = []
 build-backend = "backend"
"""


def test_a_patch_counts_before_the_backend_is_asked_what_it_needs(stack: Stack, recipes: Path):
    wanting = PYPROJECT.replace("requires = []", 'requires = ["no-such-tool"]')
    add(stack.site, "wantdemo", files={"pyproject.toml": wanting.format(name="wantdemo", version="1.0")})
    # Its metadata come from a wheel, as most do on a real index.
    stack.site.add_wheel("wantdemo", "1.0")
    said = stack.cli("build", "wantdemo", "--progress", "plain", code=2)
    assert "there is no project no-such-tool" in said
    (recipes / "lost.patch").write_text(LOST)
    (recipes / "wantdemo.toml").write_text('[[patches]]\nfile = "lost.patch"\n')
    assert built(stack, "build", "wantdemo", "--refresh")[0]["version"] == "1.0"


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
        "smoke = \"import variantdemo.features as found; assert found.features == 'none'\"\n"
        "[variants.lean]\n"
        'environment = { FEATURES = "lean" }\n'
        "smoke = \"import variantdemo.features as found; assert found.features == 'lean'\"\n"
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
    said = stack.cli("build", "mendyaml", "--progress", "plain", code=1)
    assert 'packages = ["libyaml-dev"] in recipes/mendyaml.toml' in said
    found = re.search(r"wheelyard recipe try mendyaml --job (\S+?)`", said)
    assert found is not None
    shown = stack.cli("recipe", "try", "mendyaml", "--job", found[1], "--dry-run")
    assert '+packages = ["libyaml-dev"]' in shown
    assert not (recipes / "mendyaml.toml").exists()
    stack.cli("recipe", "try", "mendyaml", "--job", found[1], "--progress", "plain")
    assert stack.answer("recipe", "show", "mendyaml")["fields"]["packages"] == ["libyaml-dev"]


def test_an_unknown_field_of_a_recipe_is_wrong_input_with_a_guess(stack: Stack, recipes: Path):
    (recipes / "typodemo.toml").write_text('package = ["libyaml-dev"]\n')
    said = stack.cli("build", "typodemo", "--progress", "plain", code=2)
    assert "perhaps you meant packages" in said
