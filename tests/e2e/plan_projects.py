"""Projects whose builds need each other, with a backend of a few lines: nothing of them is compiled."""

from __future__ import annotations

from tests.index_site import IndexSite, make_wheel

BACKEND = """\
import base64, email, hashlib, os, pathlib, zipfile

ORIGIN = {origin!r}


def _files(made_with):
    about = email.message_from_string(pathlib.Path("PKG-INFO").read_text())
    name, version = about["Name"].replace("-", "_"), about["Version"]
    info = f"{{name}}-{{version}}.dist-info"
    files = {{f"{{name}}.py": pathlib.Path(f"{{name}}.py").read_bytes()}}
    files[f"{{name}}_made_with.py"] = f"origin = {{made_with!r}}\\n".encode()
    files[f"{{info}}/METADATA"] = pathlib.Path("PKG-INFO").read_bytes()
    lines = ["Wheel-Version: 1.0", "Generator: tiny", "Root-Is-Purelib: true", "Tag: py3-none-any", ""]
    files[f"{{info}}/WHEEL"] = "\\n".join(lines).encode()
    return name, version, info, files


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    _name, _version, info, files = _files("")
    (pathlib.Path(metadata_directory) / info).mkdir()
    for path in ("METADATA", "WHEEL"):
        (pathlib.Path(metadata_directory) / info / path).write_bytes(files[f"{{info}}/{{path}}"])
    return info


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None, made_with=ORIGIN):
    if os.path.exists("broken.txt"):
        print("broken.c:1: error: " + pathlib.Path("broken.txt").read_text(), flush=True)
        os._exit(1)
    name, version, info, files = _files(made_with)
    lines = []
    for path, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        lines.append(f"{{path}},sha256={{digest}},{{len(body)}}\\n")
    files[f"{{info}}/RECORD"] = ("".join(lines) + f"{{info}}/RECORD,,\\n").encode()
    filename = f"{{name}}-{{version}}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / filename, "w") as wheel:
        for path, body in files.items():
            wheel.writestr(zipfile.ZipInfo(path), body)
    return filename
"""
WRAPPED = """\
from tinytool import *
import tinytool, {other}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return tinytool.build_wheel(wheel_directory, made_with={other}.ORIGIN)
"""


def built_with(*requires: str, backend: str = "tinytool", inside: bool = False) -> str:
    """The text of a `pyproject.toml`."""
    path = 'backend-path = ["."]\n' if inside else ""
    return f'[build-system]\nrequires = {list(requires)}\nbuild-backend = "{backend}"\n{path}'


def about(project: str, version: str, requires: tuple[str, ...] = ()) -> str:
    """The text of a `PKG-INFO`."""
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n\n"


def add_tiny(
    site: IndexSite, project: str, version: str = "1.0", *, requires: tuple[str, ...] = (),
    build: tuple[str, ...] = ("tinytool",), files: dict[str, str] | None = None, wheel: bool = False,
) -> None:  # fmt: skip
    """A project of one module that `tinytool` builds.

    :param wheel: whether the index has a wheel of it, too, whose origin is upstream.
    """
    module = project.replace("-", "_")
    own = {
        "PKG-INFO": about(project, version, requires),
        "pyproject.toml": built_with(*build),
        f"{module}.py": "ORIGIN = 'ours'\n",
    }
    site.add_sdist(project, version, {**own, **(files or {})})
    if wheel:
        text = {f"{module}/__init__.py": "ORIGIN = 'upstream'\n"}
        body = make_wheel(project, version, requires=requires, files=text)
        site.add(project, f"{module}-{version}-py3-none-any.whl", body)


def add_ring(site: IndexSite, project: str, other: str, version: str = "1.0", *, wheel: bool) -> None:
    """A project that is built with another one, and says in its wheel with whose."""
    wrapped = {"wrapped.py": WRAPPED.format(other=other)}
    build = built_with("tinytool", other, backend="wrapped", inside=True)
    add_tiny(site, project, version, files={**wrapped, "pyproject.toml": build}, wheel=wheel)


def fill_plan_site(site: IndexSite) -> None:
    """Put them all on the index."""
    own = {
        "PKG-INFO": about("tinytool", "1.0"),
        "pyproject.toml": built_with(inside=True),
        "tinytool.py": BACKEND.format(origin="ours"),
    }
    site.add_sdist("tinytool", "1.0", own)
    code = {"tinytool/__init__.py": BACKEND.format(origin="upstream")}
    upstream = make_wheel("tinytool", "1.0", files=code)
    site.add("tinytool", "tinytool-1.0-py3-none-any.whl", upstream)

    add_tiny(site, "diamond-base")
    add_tiny(site, "diamond-left", requires=("diamond-base",), files={"broken.txt": "left is broken"})
    add_tiny(site, "diamond-right", requires=("diamond-base",))
    add_tiny(site, "diamond-top", requires=("diamond-left", "diamond-right"))
    add_tiny(site, "rooted")
    add_ring(site, "hen", "egg", wheel=True)
    add_ring(site, "egg", "hen", wheel=True)
    for project, other in (("yin", "yang"), ("yang", "yin")):
        # What the backends are asked with has wheels; the newer versions, which are built, have none.
        add_ring(site, project, other, "1.0", wheel=True)
        add_ring(site, project, other, "2.0", wheel=False)
    add_tiny(site, "needy", build=("no-such-backend",), wheel=True)
    add_tiny(site, "needs-needy", requires=("needy",), wheel=True)
