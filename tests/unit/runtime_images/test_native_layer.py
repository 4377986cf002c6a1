"""Native artifacts in images: what is left of them, where it lies, and whose it is said to be."""

from __future__ import annotations

import hashlib
import platform
import tarfile

import pytest

from runtime_images.native_layer import make_native_layer
from runtime_images.stored_layers import unpacked_layer
from tests.unit.runtime_images.debs import deb_of, tar_of
from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.native_record import NativeInputs, NativeRecord

LIB = f"usr/lib/{platform.machine()}-linux-gnu"
STATUS = "var/lib/dpkg/status.d"


def record_of(digest: Digest, packages: dict[str, str]) -> NativeRecord:
    inputs = NativeInputs(
        name="tally",
        version="1.0-1",
        sources={},
        toolchain=str(Digest.of(b"image")),
        packages=packages,
        environment={},
        steps=(("make",),),
        leave_out=(),
        prefix="/opt/wheelyard/native/tally",
    )
    return NativeRecord(
        inputs=inputs, licence="MIT", digest=digest, size=1, files=1, toolchain="t", published_at=0.0
    )


def files_of(store, layer, scratch):
    with unpacked_layer(store, layer, scratch) as tar, tarfile.open(tar) as archive:
        return {
            member.name: member.linkname if member.issym() else archive.extractfile(member).read()
            for member in archive
            if not member.isdir()
        }


@pytest.fixture
def native(store, linker):
    """An artifact with a library of its own and one that was copied out of a Debian package."""
    codec = linker.library("libcodec.so.2")
    deb = deb_of("libcodec2", {f"{LIB}/libcodec.so.2": codec}, version="2.4-1+deb12u3")
    store.put_blob(deb, Digest.of(deb))
    archive = tar_of(
        {
            "bin/tally": b"program",
            "lib/libtally.so.1": "libtally.so.1.0",
            "lib/libtally.so.1.0": linker.library("libtally.so.1", ("libcodec.so.2",)),
            "lib/libtally.so": "libtally.so.1",
            "lib/libtally.a": b"static",
            "lib/libcodec.so.2": codec,
            "lib/pkgconfig/tally.pc": b"",
            "include/tally.h": b"",
            "share/tally/table": b"1",
            "share/man/man1/tally.1": b"",
            "share/licenses/tally/copyright": b"MIT of tally",
            "share/licenses/codec/copyright": b"BSD of codec",
        },
        {"bin/tally": 0o755},
    )
    store.put_blob(archive, Digest.of(archive))
    return record_of(Digest.of(archive), {"libcodec2": f"2.4-1+deb12u3 {Digest.of(deb)}"}), codec


def test_programs_and_libraries_lie_under_usr_local_without_what_compilers_read(store, native, scratch):
    record, _ = native
    system = make_native_layer(store, record, scratch)
    files = files_of(store, system.layer, scratch)
    own = {path for path in files if path.startswith("usr/local/")}
    assert own == {
        f"usr/local/{path}"
        for path in (
            "bin/tally",
            "lib/libtally.so.1",
            "lib/libtally.so.1.0",
            "lib/libcodec.so.2",
            "share/tally/table",
            "share/licenses/tally/copyright",
            "share/licenses/codec/copyright",
        )
    }
    assert system.libraries["libtally.so.1"] == "usr/local/lib/libtally.so.1"
    assert make_native_layer(store, record, scratch) == system


def test_it_is_recorded_as_made_of_debian_s_source_and_a_copied_library_as_its_package_s(
    store, native, scratch
):
    record, codec = native
    system = make_native_layer(store, record, scratch)
    files = files_of(store, system.layer, scratch)
    assert system.packages == {"wheelyard-native-tally": "1.0-1", "libcodec2": "2.4-1+deb12u3"}
    assert b"Source: tally (1.0-1)\n" in files[f"{STATUS}/wheelyard-native-tally"]
    assert b"Version: 2.4-1+deb12u3\n" in files[f"{STATUS}/libcodec2"]
    md5 = hashlib.md5(codec, usedforsecurity=False).hexdigest()
    assert files[f"{STATUS}/libcodec2.md5sums"] == f"{md5}  usr/local/lib/libcodec.so.2\n".encode()
    assert b"libcodec" not in files[f"{STATUS}/wheelyard-native-tally.md5sums"]
    licences = files["usr/share/doc/wheelyard-native-tally/copyright"]
    assert licences == b"BSD of codec\nMIT of tally"


def test_one_whose_packages_were_swept_away_is_recorded_all_the_same(store, native, scratch):
    record, _ = native
    other = record_of(record.digest, {"libcodec2": f"1 {Digest.of(b'gone')}"})
    system = make_native_layer(store, other, scratch)
    assert system.packages == {"wheelyard-native-tally": "1.0-1"}


def test_one_that_is_lost_says_so(store, scratch):
    with pytest.raises(StoreUnavailable, match="tally"):
        make_native_layer(store, record_of(Digest.of(b"nothing"), {}), scratch)
