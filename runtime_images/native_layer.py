"""The layer of a native artifact: its programs and libraries under /usr/local, recorded for scanners."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO

from runtime_images.deb_index import DebIndex, index_of
from runtime_images.debian_packages import Package
from runtime_images.layer_contents import clean_name
from runtime_images.stored_layers import keep_layer
from runtime_images.system_layer import (
    SystemLayer,
    find_system_layer,
    keep_system_layer,
    layer_document,
)
from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.digests import key_of
from wheelyard.errors import StoreUnavailable
from wheelyard.native_record import NativeRecord, package_of
from wheelyard.package_lock import parse_package
from wheelyard.store.contract import Store

NATIVE_LAYER_FORMAT = 1
"""Raised when the same artifact would make another layer; part of its name."""

_KIND = "natives"
_PLACE = "usr/local"
_MAINTAINER = "Wheelyard, from Debian's source package"

# What compilers need of it, and nobody else.
_NOT_IN_IMAGES = re.compile(
    r"(include|share/(man|doc|info|pkgconfig|cmake)|lib/(pkgconfig|cmake))(/.*)?|.*\.(a|la)|lib/[^/]*\.so",
    re.DOTALL,
)
_LICENCE = re.compile(r"share/licenses/[^/]+/[^/]+")


def make_native_layer(store: Store, record: NativeRecord, scratch: Path) -> SystemLayer:
    """Lay a native artifact's files under /usr/local, without headers and what else only compilers read.

    A function of the artifact: kept in the store, and answered from there the next time. Its own version is
    recorded as a package of Debian's source, so that scanners find what is known against it; a library that
    was copied into it from a Debian package is recorded as that package's.

    :param scratch: folder for the archive while it is read.
    :raises StoreUnavailable: the archive is not in the store.
    """
    key = key_of({"native": str(record.digest), "format": NATIVE_LAYER_FORMAT})
    kept = find_system_layer(store, _KIND, key)
    if kept is not None:
        return kept
    with tempfile.TemporaryDirectory(dir=scratch, prefix="native-") as folder:
        archive = Path(folder) / "native.tar"
        if not store.fetch_blob(record.digest, archive):
            raise StoreUnavailable(
                f"the native artifact {record.inputs.name} is not in the store any more",
                expected=str(record.digest),
                do="ask for the image again, so that it is made again",
            )
        with tarfile.open(archive, mode="r:", encoding="utf-8") as tar:
            members = {
                path: member
                for member in tar
                if not member.isdir() and not _NOT_IN_IMAGES.fullmatch(path := clean_name(member.name))
            }
            packages = _packages(store, record, tar, members, scratch)
            target = Path(folder) / "layer.tar"
            with target.open("wb") as out:
                write_layer_tar(out, [*_own(tar, members), *_recorded(packages)])
        title = f"native {record.inputs.name} {record.inputs.version}"
        layer = keep_layer(store, layer_document(_KIND, key), target, title, Path(folder))
    system = SystemLayer(
        layer=layer,
        libraries={
            name: f"{_PLACE}/{path}"
            for path in members
            if path.startswith("lib/") and ".so" in (name := path.rpartition("/")[2])
        },
        packages={package.name: package.version for package in packages},
    )
    keep_system_layer(store, _KIND, key, system)
    return system


def _own(tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> list[NewMember]:
    found = []
    for path, member in members.items():
        if member.issym():
            kind, size, opener = tarfile.SYMTYPE, 0, None
        else:
            kind, size, opener = tarfile.REGTYPE, len(_bytes(tar, member)), partial(_opened, tar, member)
        found.append(
            NewMember(
                path=f"{_PLACE}/{path}",
                kind=kind,
                executable=bool(member.mode & 0o111),
                target=member.linkname if member.issym() else "",
                size=size,
                opener=opener,
            )
        )
    return found


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return io.BytesIO(_bytes(tar, member))


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream is not None else b""


def _packages(
    store: Store,
    record: NativeRecord,
    tar: tarfile.TarFile,
    members: Mapping[str, tarfile.TarInfo],
    scratch: Path,
) -> list[Package]:
    """The artifact as a package, and those that files were copied out of."""
    origins = _origins(store, record, scratch)
    sums: dict[str, dict[str, str]] = {}
    for path, member in members.items():
        if member.issym():
            continue
        body = _bytes(tar, member)
        index = origins.get(hashlib.sha256(body).hexdigest())
        owner = index.name if index is not None else ""
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        sums.setdefault(owner, {})[f"{_PLACE}/{path}"] = md5
    licences = [_bytes(tar, members[path]) for path in sorted(members) if _LICENCE.fullmatch(path)]
    inputs = record.inputs
    found = [
        Package(
            name=package_of(inputs.name),
            version=inputs.version,
            stanza=_stanza(record),
            md5sums=sums.pop("", {}),
            copyright=b"\n".join(licences) or f"License: {record.licence}\n".encode(),
        )
    ]
    by_name = {index.name: index for index in origins.values()}
    found += [
        Package(
            name=name,
            version=by_name[name].version,
            stanza=by_name[name].stanza,
            md5sums=files,
            copyright=None,
        )
        for name, files in sorted(sums.items())
    ]
    return found


def _origins(store: Store, record: NativeRecord, scratch: Path) -> dict[str, DebIndex]:
    """Digest of a library to the Debian package that it is of, among those that it was built with."""
    found = {}
    for entry in record.inputs.packages.values():
        digest = parse_package(entry)[1]
        try:
            index = index_of(store, digest, scratch)
        except StoreUnavailable:
            # Swept away since; the artifact itself is recorded all the same.
            continue
        for path, held in index.contents.entries.items():
            if path in index.contents.elves:
                found[held.digest] = index
    return found


def _stanza(record: NativeRecord) -> str:
    inputs = record.inputs
    return "\n".join(
        [
            f"Package: {package_of(inputs.name)}",
            f"Source: {inputs.name} ({inputs.version})",
            "Status: install ok installed",
            f"Maintainer: {_MAINTAINER}",
            "Architecture: amd64",
            f"Version: {inputs.version}",
            f"Description: {inputs.name}, compiled by Wheelyard (build key {record.key[:16]})",
        ]
    )


def _recorded(packages: list[Package]) -> list[NewMember]:
    return [
        NewMember(path=path, kind=tarfile.REGTYPE, size=len(body), opener=partial(io.BytesIO, body))
        for package in packages
        for path, body in package.files().items()
    ]
