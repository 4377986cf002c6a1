"""The small projects that the end-to-end tests build: good ones, broken ones and hostile ones."""

from __future__ import annotations

from tests.index_site import IndexSite
from wheelyard.upstream.pip_index import configured_index

PYPROJECT = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
SETUP = """\
from setuptools import Extension, setup
extension = Extension({module!r}, [{source!r}])
setup(name={name!r}, version="1.0", install_requires={needs!r}, ext_modules=[extension])
"""
C_SOURCE = """\
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, "The answer."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "cdemo", NULL, -1, methods};
PyMODINIT_FUNC PyInit_cdemo(void) { return PyModule_Create(&module); }
"""
CPP_SOURCE = """\
#include <Python.h>
#include <numeric>
#include <string>
#include <vector>
static PyObject *total(PyObject *self, PyObject *args) {
    std::vector<int> numbers{1, 2, 3};
    std::string text = std::to_string(std::accumulate(numbers.begin(), numbers.end(), 0));
    return PyUnicode_FromString(text.c_str());
}
static PyMethodDef methods[] = {{"total", total, METH_NOARGS, "The sum."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "cppdemo", NULL, -1, methods};
PyMODINIT_FUNC PyInit_cppdemo(void) { return PyModule_Create(&module); }
"""
SLOW_SETUP = """\
import pathlib, sys, time
from setuptools import setup
if "bdist_wheel" in sys.argv:
    print("[1/2] going to sleep", flush=True)
    time.sleep(300)
setup(name="slowdemo", version="1.0", py_modules=["slowdemo"])
"""
NOSY_SETUP = """\
import os, pathlib, socket, sys
from setuptools import setup
if "bdist_wheel" in sys.argv:
    findings = []
    try:
        socket.create_connection(("198.51.100.1", 80), timeout=3)
        findings.append("reached the network")
    except OSError:
        pass
    for place in ("/in/evil", "/usr/bin/evil", "/opt/wheelyard/evil", "/etc/evil"):
        try:
            pathlib.Path(place).write_text("evil")
            findings.append("wrote " + place)
        except OSError:
            pass
    if os.getuid() == 0:
        findings.append("is root")
    status = pathlib.Path("/proc/self/status").read_text()
    if int(status.split("CapEff:")[1].split()[0], 16):
        findings.append("has capabilities")
    findings += [name for name in os.environ if "SECRET" in name or "TOKEN" in name or "WHEELYARD" in name]
    if findings:
        sys.exit("the sandbox leaks: " + ", ".join(findings))
setup(name="nosydemo", version="1.0", py_modules=["nosydemo"])
"""
PLACED_SETUP = """\
import pathlib
from setuptools import Extension, setup
folder = pathlib.Path("include").absolute()
setup(name="placedemo", version="1.0",
      ext_modules=[Extension("placedemo", ["placedemo.c"], include_dirs=[str(folder)])])
"""
PLACED_SOURCE = """\
#include <Python.h>
#include <place.h>
static PyObject *place_of(PyObject *self, PyObject *args) { return PyUnicode_FromString(place()); }
static PyMethodDef methods[] = {{"place", place_of, METH_NOARGS, "Where."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "placedemo", NULL, -1, methods};
PyMODINIT_FUNC PyInit_placedemo(void) { return PyModule_Create(&module); }
"""
STAMPED_SETUP = """\
import os, pathlib, shutil, socket, subprocess, sys, time
from setuptools import Extension, setup
if "bdist_wheel" in sys.argv:
    shutil.copy("/bin/date", "ccache")
    cache = subprocess.run(["./ccache", "+%Y"], capture_output=True, check=True, text=True).stdout.strip()
    pathlib.Path("stampdemo_made.py").write_text(
        f"where = {os.getcwd()!r}\\nhost = {socket.gethostname()!r}\\nyear = {time.gmtime().tm_year}\\n"
        f"compiler_cache = {cache}\\n")
setup(name="stampdemo", version="1.0", py_modules=["stampdemo_made"],
      ext_modules=[Extension("_stampdemo", ["stamp.c"],
                             define_macros=[("WHERE", '"' + os.getcwd() + '"')])])
"""
STAMPED_SOURCE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_stampdemo", WHERE, -1, NULL};
PyMODINIT_FUNC PyInit__stampdemo(void) { return PyModule_Create(&module); }
"""
DECLARED = "Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n"
STABLE_SETUP = """\
from setuptools import Extension, setup
extension = Extension("{name}", ["{name}.c"], py_limited_api=True, define_macros={macros!r})
setup(name="{name}", version="1.0", ext_modules=[extension],
      options={{"bdist_wheel": {{"py_limited_api": "cp39"}}}})
"""


def stable(name: str, text: str, macros: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    """Files of an sdist that claims the stable ABI of Python 3.9, and declares that it needs nothing."""
    setup = STABLE_SETUP.format(name=name, macros=list(macros))
    declared = DECLARED.format(name=name)
    return {"PKG-INFO": declared, "pyproject.toml": PYPROJECT, "setup.py": setup, f"{name}.c": text}


def extension(name: str, module: str, source: str, text: str, needs: tuple[str, ...] = ()) -> dict[str, str]:
    """Files of an sdist with one extension module."""
    setup = SETUP.format(name=name, module=module, source=source, needs=list(needs))
    return {"pyproject.toml": PYPROJECT, "setup.py": setup, source: text}


def fill_site(site: IndexSite) -> None:
    """Put every project of the tests on the index; what builds them (setuptools) is pip's own index's."""
    site.elsewhere = configured_index().url
    site.add_sdist("cdemo", "1.0", extension("cdemo", "cdemo", "cdemo.c", C_SOURCE))
    traced = C_SOURCE.replace("cdemo", "tracedemo")
    site.add_sdist("tracedemo", "1.0", extension("tracedemo", "tracedemo", "tracedemo.c", traced))
    site.add_sdist("cppdemo", "1.0", extension("cppdemo", "cppdemo", "cppdemo.cpp", CPP_SOURCE, ("cdemo",)))
    optional = SETUP.replace("[{source!r}])", "[{source!r}], optional=True)").format(
        name="halfdemo", module="_halfdemo", source="half.c", needs=[]
    )
    half = {"pyproject.toml": PYPROJECT, "setup.py": optional, "half.c": "#include <not_there.h>\n"}
    site.add_sdist("halfdemo", "1.0", {**half, "halfdemo.py": ""})
    broken = C_SOURCE.replace("#include <Python.h>", "#include <Python.h>\n#include <libavcodec/avcodec.h>")
    site.add_sdist("brokendemo", "1.0", extension("brokendemo", "brokendemo", "broken.c", broken))
    site.add_sdist(
        "slowdemo", "1.0", {"pyproject.toml": PYPROJECT, "setup.py": SLOW_SETUP, "slowdemo.py": ""}
    )
    site.add_sdist(
        "nosydemo", "1.0", {"pyproject.toml": PYPROJECT, "setup.py": NOSY_SETUP, "nosydemo.py": ""}
    )
    header = "static const char *place(void) { return __FILE__; }\n"
    placed = {"placedemo.c": PLACED_SOURCE, "include/place.h": header}
    site.add_sdist("placedemo", "1.0", {"pyproject.toml": PYPROJECT, "setup.py": PLACED_SETUP, **placed})
    site.add_sdist(
        "stampdemo", "1.0",
        {"pyproject.toml": PYPROJECT, "setup.py": STAMPED_SETUP, "stamp.c": STAMPED_SOURCE},
    )  # fmt: skip
    pure = (
        PYPROJECT
        + '[project]\nname = "puredemo"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["puredemo"]\n'
    )
    declared = DECLARED.format(name="puredemo")
    site.add_sdist("puredemo", "1.0", {"PKG-INFO": declared, "pyproject.toml": pure, "puredemo.py": ""})
    limited = (("Py_LIMITED_API", "0x03090000"),)
    site.add_sdist("abidemo", "1.0", stable("abidemo", C_SOURCE.replace("cdemo", "abidemo"), limited))
    private = C_SOURCE.replace("cdemo", "nonabidemo").replace(
        "return PyLong_FromLong(42)", "return PyLong_FromLong(PyUnicode_AsUTF8(args) != NULL)"
    )
    site.add_sdist("nonabidemo", "1.0", stable("nonabidemo", private))
    site.add_wheel("wheelonly", "1.0")
    site.add_sdist("futuredemo", "1.0", requires_python=">=3.99")
    lie = site.add_sdist("liardemo", "1.0")
    lie.listed_sha256 = "0" * 64
