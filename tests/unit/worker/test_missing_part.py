"""What a build lacked is found in what real builds said."""

import pytest

from worker.missing_part import MissingPart, find_missing

PILLOW = """\
Traceback (most recent call last):
  File "<string>", line 582, in build_extensions
  File "<string>", line 914, in <module>
RequiredDependencyException:

The headers or library files could not be found for jpeg,
a required dependency when compiling Pillow from source.
"""
MYSQL = """\
Trying pkg-config --exists mysqlclient
Command 'pkg-config --exists mysqlclient' returned non-zero exit status 1.
Trying pkg-config --exists mariadb
Command 'pkg-config --exists mariadb' returned non-zero exit status 1.
Exception: Can not find valid pkg-config name.
Specify MYSQLCLIENT_CFLAGS and MYSQLCLIENT_LDFLAGS env vars manually
"""
CMAKE_MODULE = """\
-- Could NOT find OpenGL (missing: OPENGL_opengl_LIBRARY)
-- Found ZLIB: /usr/lib/x86_64-linux-gnu/libz.so
CMake Error at /usr/share/cmake-3.25/Modules/FindPackageHandleStandardArgs.cmake:230 (message):
  Could NOT find JPEG (missing: JPEG_LIBRARY JPEG_INCLUDE_DIR)
Call Stack (most recent call first):
"""
CMAKE_CONFIG = """\
CMake Error at CMakeLists.txt:31 (find_package):
  By not providing "FindEigen3.cmake" in CMAKE_MODULE_PATH this project has
  asked CMake to find a package configuration file provided by "Eigen3", but
  CMake did not find one.

  Could not find a package configuration file provided by "Eigen3" (requested
  version 3.3) with any of the following names:

    Eigen3Config.cmake
    eigen3-config.cmake
"""
RUST = """\
Cargo, the Rust package manager, is not installed or is not on PATH.
This package requires Rust and Cargo to compile extensions. Install it through
the system's package manager or via its own installer.

Checking for Rust toolchain....
"""
LXML = """\
Building lxml version 5.3.0.
Building without Cython.
Error: Please make sure the libxml2 and libxslt development packages are installed.
"""
PSYCOPG = """\
running egg_info
Error: pg_config executable not found.

pg_config is required to build psycopg2 from source.
"""
PKG_CONFIG = """\
Package libffi was not found in the pkg-config search path.
Perhaps you should add the directory containing `libffi.pc'
to the PKG_CONFIG_PATH environment variable
Package 'libffi', required by 'virtual:world', not found
"""
MESON = """\
Dependency OpenBLAS found: NO
../meson.build:104:12: ERROR: Dependency "cairo" not found, tried pkgconfig and cmake
"""


@pytest.mark.parametrize(
    ("said", "kind", "name"),
    [
        (PILLOW, "library", "jpeg"),
        (MYSQL, "pkg-config", "mysqlclient"),
        (CMAKE_MODULE, "cmake", "JPEG"),
        (CMAKE_CONFIG, "cmake", "Eigen3"),
        (RUST, "program", "cargo"),
        ("error: can't find Rust compiler", "program", "cargo"),
        (LXML, "pkg-config", "libxslt"),
        (PSYCOPG, "program", "pg_config"),
        (PKG_CONFIG, "pkg-config", "libffi"),
        (MESON, "pkg-config", "cairo"),
        (
            "a.c:1:10: fatal error: libavcodec/avcodec.h: No such file or directory",
            "header",
            "libavcodec/avcodec.h",
        ),
        ("a.cc:3:10: fatal error: 'Eigen/Dense' file not found", "header", "Eigen/Dense"),
        ("src/x.cpp:9:10: fatal error: Eigen/Core: No such file or directory", "header", "Eigen/Core"),
        ("/usr/bin/ld: cannot find -lfoo: No such file or directory", "library", "foo"),
        ("meson.build:9:5: ERROR: C shared or static library 'sndfile' not found", "library", "sndfile"),
        ("meson.build:9:5: ERROR: C header 'sndfile.h' not found", "header", "sndfile.h"),
        (
            "meson.build:3:1: ERROR: Program 'glib-mkenums' not found or not executable",
            "program",
            "glib-mkenums",
        ),
        ("pkgconfig.pkgconfig.PackageNotFoundError: xmlsec1 not found", "pkg-config", "xmlsec1"),
        ("sh: 1: flex: not found", "program", "flex"),
        ("/bin/sh: 1: mysql_config: not found", "program", "mysql_config"),
        ("setup.sh: line 3: xml2-config: command not found", "program", "xml2-config"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'pg_config'", "program", "pg_config"),
        ("error: command 'swig' failed: No such file or directory", "program", "swig"),
        ("unable to execute 'swig': No such file or directory", "program", "swig"),
        ('Can\'t exec "libtoolize": No such file or directory at autoreconf line 9', "program", "libtoolize"),
        ("make[1]: cmake: No such file or directory", "program", "cmake"),
        (
            "A GDAL API version must be specified. Provide a path to gdal-config using",
            "program",
            "gdal-config",
        ),
        ("ModuleNotFoundError: No module named 'Cython'", "module", "Cython"),
        ("    ModuleNotFoundError: No module named 'numpy.core'", "module", "numpy"),
        ("pyproject_hooks._impl.BackendUnavailable: Cannot import 'mesonpy'", "module", "mesonpy"),
    ],
)
def test_it_is_named_as_the_build_called_it(said, kind, name):
    assert find_missing(said.splitlines()) == MissingPart(kind=kind, name=name)


@pytest.mark.parametrize(
    "said",
    [
        "all is well",
        "-- Could NOT find OpenGL (missing: OPENGL_opengl_LIBRARY)",
        "FileNotFoundError: [Errno 2] No such file or directory: 'README.md'",
        "FileNotFoundError: [Errno 2] No such file or directory: 'VERSION'",
        "Dependency OpenBLAS found: NO",
        "x.c:1:1: error: unknown type name 'foo'",
    ],
)
def test_what_is_no_want_is_none(said):
    assert find_missing([said]) is None


def test_a_header_is_nearer_to_the_cause_than_a_program_that_was_looked_for():
    lines = ["checking: flex: not found", "a.c:1:1: fatal error: yaml.h: No such file or directory"]
    assert find_missing(lines) == MissingPart(kind="header", name="yaml.h")


@pytest.mark.parametrize(
    ("module", "requirement"),
    [
        ("Cython", "cython"),
        ("mesonpy", "meson-python"),
        ("setuptools_scm", "setuptools-scm"),
        ("pkg_resources", "setuptools<81"),
        ("numpy", "numpy"),
    ],
)
def test_a_module_is_a_build_requirement(module, requirement):
    assert MissingPart(kind="module", name=module).requirement == requirement
    assert MissingPart(kind="program", name=module).requirement == ""
