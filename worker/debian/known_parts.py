"""Which Debian package brings a part whose name is in no path of the archive, or in those of several."""

from __future__ import annotations

_PROGRAMS = {
    "cargo": "cargo",
    "cmake": "cmake",
    "geos-config": "libgeos-dev",
    "h5cc": "libhdf5-dev",
    "mysql_config": "default-libmysqlclient-dev",
    "nc-config": "libnetcdf-dev",
    "pg_config": "libpq-dev",
    "proj": "libproj-dev",
    "xslt-config": "libxslt1-dev",
}
_LIBRARIES = {"jpeg": "libjpeg-dev", "zlib": "zlib1g-dev"}
_MODULES = {"mysqlclient": "default-libmysqlclient-dev", "libxslt": "libxslt1-dev"}
# CMake's own FindNAME.cmake look for files of other names.
_CMAKE = {
    "alsa": "libasound2-dev",
    "bison": "bison",
    "blas": "libopenblas-dev",
    "boost": "libboost-all-dev",
    "bzip2": "libbz2-dev",
    "curl": "libcurl4-openssl-dev",
    "expat": "libexpat1-dev",
    "flex": "flex",
    "freetype": "libfreetype-dev",
    "gdal": "libgdal-dev",
    "gmp": "libgmp-dev",
    "gsl": "libgsl-dev",
    "hdf5": "libhdf5-dev",
    "jpeg": "libjpeg-dev",
    "lapack": "libopenblas-dev",
    "libevent": "libevent-dev",
    "liblzma": "liblzma-dev",
    "libxml2": "libxml2-dev",
    "libxslt": "libxslt1-dev",
    "mpi": "libopenmpi-dev",
    "openblas": "libopenblas-dev",
    "opengl": "libgl-dev",
    "openssl": "libssl-dev",
    "pkgconfig": "pkg-config",
    "png": "libpng-dev",
    "postgresql": "libpq-dev",
    "proj": "libproj-dev",
    "protobuf": "libprotobuf-dev",
    "sdl2": "libsdl2-dev",
    "sqlite3": "libsqlite3-dev",
    "swig": "swig",
    "tiff": "libtiff-dev",
    "x11": "libx11-dev",
    "zlib": "zlib1g-dev",
}
_BY_KIND = {"program": _PROGRAMS, "library": _LIBRARIES, "pkg-config": _MODULES, "cmake": _CMAKE}


def known_package(kind: str, name: str) -> str:
    """The package that brings a part; empty where the archive's lists have to be asked.

    :param kind: as `worker.missing_part.MissingPart` has it.
    """
    return _BY_KIND.get(kind, {}).get(name.lower() if kind == "cmake" else name, "")
