"""Tiny projects that need nothing to be built: their backend lies in the sdist and calls gcc itself."""

from __future__ import annotations

from tests.index_site import make_sdist

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
C_SOURCE = """\
#include <Python.h>
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, NULL}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
BACKEND = """\
import base64, hashlib, os, pathlib, subprocess, sysconfig, time, zipfile

NAME, SECONDS, COMPILES = {name!r}, {seconds!r}, {compiles!r}
TAG = "cp311-cp311-linux_x86_64" if COMPILES else "py3-none-any"
INFO = NAME + "-1.0.dist-info"
METADATA = "Metadata-Version: 2.1\\nName: " + NAME + "\\nVersion: 1.0\\n"
PURE = "false" if COMPILES else "true"
WHEEL = "Wheel-Version: 1.0\\nGenerator: chaos\\nRoot-Is-Purelib: " + PURE + "\\nTag: " + TAG + "\\n"

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    place = pathlib.Path(folder, INFO)
    place.mkdir()
    (place / "METADATA").write_text(METADATA)
    (place / "WHEEL").write_text(WHEEL)
    return INFO

def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("compiling", flush=True)
    time.sleep(SECONDS)
    # Another compile never gives the same bytes: what is published twice would be seen.
    files = {{NAME + "_made.py": ("MADE = " + repr(os.urandom(16).hex()) + "\\n").encode()}}
    if COMPILES:
        out = "/tmp/" + NAME + ".so"
        include = "-I" + sysconfig.get_paths()["include"]
        subprocess.run(["gcc", "-shared", "-fPIC", include, NAME + ".c", "-o", out], check=True)
        files[NAME + ".cpython-311-x86_64-linux-gnu.so"] = pathlib.Path(out).read_bytes()
    files[INFO + "/METADATA"], files[INFO + "/WHEEL"] = METADATA.encode(), WHEEL.encode()
    name = NAME + "-1.0-" + TAG + ".whl"
    record = ""
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as pack:
        for path, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += path + ",sha256=" + digest + "," + str(len(content)) + "\\n"
            pack.writestr(path, content)
        pack.writestr(INFO + "/RECORD", record + INFO + "/RECORD,,\\n")
    return name
"""


def tiny_files(name: str, seconds: float = 0.0, *, compiles: bool = True) -> dict[str, str]:
    """Files of a project.

    :param name: of the project and its module.
    :param seconds: that its compile sleeps.
    :param compiles: whether it has an extension module.
    """
    return {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND.format(name=name, seconds=seconds, compiles=compiles),
        f"{name}.c": C_SOURCE.format(name=name),
    }


def tiny_sdist(name: str, seconds: float = 0.0, *, compiles: bool = True) -> bytes:
    """Bytes of its sdist; see `tiny_files`."""
    return make_sdist(name, "1.0", tiny_files(name, seconds, compiles=compiles))
