"""System libraries and packages in images, through the command line, in containers as closed as can be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.projects import PYPROJECT
from wheelyard.process import run_command
from worker.engine.command import CommandEngine

pytestmark = pytest.mark.engine

# A wheel that leaves GLib outside, as the platform policy allows: linked with a stand-in, for the toolchain
# has no GLib. It is loaded at the call, so that the wheel's own test can do without.
SETUP = """\
import subprocess
from setuptools import Extension, setup
with open("stub.c", "w") as stub:
    stub.write("int g_bit_nth_lsf(unsigned long mask, int nth) { return -9; }")
subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libglib-2.0.so.0", "-o", "libglib-2.0.so", "stub.c"],
               check=True)
native = Extension("libusedemo._native", ["native.c"], library_dirs=["."], libraries=["glib-2.0"])
setup(name="libusedemo", version="1.0", packages=["libusedemo"], ext_modules=[native])
"""
NATIVE = """\
#include <Python.h>
int g_bit_nth_lsf(unsigned long mask, int nth);
static PyObject *lowest(PyObject *self, PyObject *args) { return PyLong_FromLong(g_bit_nth_lsf(8, -1)); }
static PyMethodDef methods[] = {{"lowest", lowest, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods};
PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&module); }
"""
LAZY = "def lowest():\n    from libusedemo import _native\n    return _native.lowest()\n"

# What scanners do with an image: each ELF file is some package's, by dpkg's sums, or some wheel's.
OWNED = """\
import hashlib, importlib.metadata, os
owned, status = set(), "/var/lib/dpkg/status.d"
for name in os.listdir(status):
    if name.endswith(".md5sums"):
        for line in open(os.path.join(status, name)):
            digest, path = line.rstrip("\\n").split("  ", 1)
            with open("/" + path, "rb") as held:
                assert hashlib.md5(held.read()).hexdigest() == digest, path
            owned.add("/" + path)
for wheel in importlib.metadata.distributions():
    owned.update(os.path.realpath(place.locate()) for place in wheel.files)
for here, _, files in os.walk("/usr"):
    for path in (os.path.join(here, name) for name in files):
        if not os.path.islink(path):
            with open(path, "rb") as held:
                assert held.read(4) != b"\\x7fELF" or path in owned, path
print(len(owned) > 100)
"""


@pytest.fixture(scope="module")
def tag(stack: Stack, engine: CommandEngine) -> Iterator[str]:
    files = {
        "setup.py": SETUP,
        "native.c": NATIVE,
        "libusedemo/__init__.py": LAZY,
        "pyproject.toml": PYPROJECT,
    }
    stack.site.add_sdist("libusedemo", "1.0", files)
    tag = f"wheelyard-e2e-system:{stack.folder.name}"
    yield tag
    run_command([*engine.traits.command, "rmi", "--force", tag, f"{tag}-debug"], timeout=120)


def run(engine: CommandEngine, tag: str, entrypoint: str, *arguments: str) -> str:
    """Run a program of an image, closed and without network."""
    closed = ["--rm", "--network", "none", "--read-only", "--cap-drop", "all", *engine.traits.run_options]
    return run_command(
        [*engine.traits.command, "run", *closed, "--entrypoint", entrypoint, tag, *arguments], timeout=120
    )


def made(stack: Stack, engine: CommandEngine, tag: str, *arguments: str) -> str:
    return stack.cli(
        "image",
        "libusedemo",
        *arguments,
        "--load",
        "--engine",
        engine.name,
        "--tag",
        tag,
        "--progress",
        "plain",
    )


def test_a_program_and_a_wheel_s_foreign_library_come_out_of_debian_s_packages(
    stack: Stack, engine: CommandEngine, tag: str
):
    said = made(stack, engine, tag, "--package", "curl")
    assert "packages curl" in said
    assert "libraries libglib2.0-0" in said
    assert run(engine, tag, "python3", "-c", "import libusedemo; print(libusedemo.lowest())") == "3\n"
    assert "Debian" in run(engine, tag, "curl", "-s", "file:///etc/os-release")
    assert "libglib-2.0.so.0 " in run(engine, tag, "/usr/sbin/ldconfig", "-p")
    assert run(engine, tag, "python3", "-c", OWNED) == "True\n"


def test_a_debug_image_is_the_slim_one_with_a_shell(stack: Stack, engine: CommandEngine, tag: str):
    made(stack, engine, f"{tag}-debug", "--package", "curl", "--base", "debug")
    script = "busybox --list >/dev/null && ls /usr/bin | grep -c busybox && curl --version | head -n 1"
    said = run(engine, f"{tag}-debug", "sh", "-c", script).splitlines()
    assert said[0] == "1"
    assert said[1].startswith("curl ")


def test_a_package_that_debian_lacks_is_refused_before_anything_is_built(stack: Stack):
    said = stack.cli("image", "libusedemo", "--package", "ffmepg", "--progress", "plain", code=2)
    assert "Debian bookworm has no package ffmepg" in said
    assert "ffmpeg" in said
