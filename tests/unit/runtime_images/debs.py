"""Tiny Debian packages for the tests of runtime images, and a store that has them."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path

from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import LayerContents, read_contents
from runtime_images.package_layer import Packages, make_package_layer
from runtime_images.package_slice import Below
from runtime_images.stored_layers import unpacked_layer
from runtime_images.system_layer import SystemLayer
from wheelyard.digests import Digest
from wheelyard.oci import Layer
from wheelyard.store.folder import FolderStore

COPYRIGHT = b"Files: *\nLicense: MIT\n"
Members = Mapping[str, bytes | str | tuple[str, str]]


def tar_of(members: Members, modes: Mapping[str, int] | None = None) -> bytes:
    """A tar: bytes are a file, text a symbolic link's target, a pair a hard link's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in members.items():
            member = tarfile.TarInfo(f"./{path}")
            member.mode = (modes or {}).get(path, 0o644)
            if isinstance(content, bytes):
                member.size = len(content)
            else:
                member.type = tarfile.LNKTYPE if isinstance(content, tuple) else tarfile.SYMTYPE
                member.linkname = f"./{content[1]}" if isinstance(content, tuple) else content
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def deb_of(
    name: str,
    files: Members,
    *,
    version: str = "1.0-1",
    depends: str = "",
    shlibs: str = "",
    modes: Mapping[str, int] | None = None,
    more: str = "",
    packer=lzma.compress,
) -> bytes:
    """A Debian package, with its licence and the checksums that dpkg would have."""
    files = {**files}
    if not any(path.startswith(f"usr/share/doc/{name}") for path in files):
        files[f"usr/share/doc/{name}/copyright"] = COPYRIGHT
    sums = "".join(
        f"{hashlib.md5(body, usedforsecurity=False).hexdigest()}  {path}\n"
        for path, body in files.items()
        if isinstance(body, bytes)
    )
    control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: me <me@example.org>\n"
    control += f"Depends: {depends}\n" if depends else ""
    control += f"{more}Description: {name}\n of the tests\n"
    about = {"control": control.encode(), "md5sums": sums.encode(), "postinst": b"#!/bin/sh\nexit 1\n"}
    if shlibs:
        about["shlibs"] = shlibs.encode()
    end = "gz" if packer is gzip.compress else "xz"
    parts = {
        "debian-binary": b"2.0\n",
        f"control.tar.{end}": packer(tar_of(about)),
        f"data.tar.{end}": packer(tar_of(files, modes)),
    }
    body = b"!<arch>\n"
    for part, content in parts.items():
        body += f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        body += content + b"\n" * (len(content) % 2)
    return body


class Archive:
    """A store with packages, and layers that are made of them."""

    def __init__(
        self, store: FolderStore, base: Path, base_layer: Layer, scratch: Path, machine: str
    ) -> None:
        self.store, self.scratch, self.machine = store, scratch, machine
        self.base: LayerContents = read_contents(base)
        self.base_layer = base_layer
        self.base_packages: dict[str, str] = {}
        self.debs: dict[str, str] = {}

    def add(self, name: str, files: Members, **more) -> None:
        """Keep a package."""
        body = deb_of(name, files, **more)
        self.store.put_blob(body, Digest.of(body))
        self.debs[name] = f"{more.get('version', '1.0-1')} {Digest.of(body)}"

    def below(self) -> Below:
        tree = FileTree()
        tree.lay(self.base, "base")
        return Below(tree=tree, packages=self.base_packages)

    def layer(self, *asked: str, whole: tuple[str, ...] = (), sonames: tuple[str, ...] = ()) -> SystemLayer:
        """The layer of packages."""
        return make_package_layer(
            self.store,
            Packages(asked=asked, whole=whole, sonames=sonames, debs=self.debs),
            layers=(self.base_layer,),
            below=self.below,
            machine=self.machine,
            what="packages",
            scratch=self.scratch,
        )

    def files(self, system: SystemLayer) -> dict[str, bytes | str]:
        """Path to bytes, or to a link's target, of everything in a layer but folders."""
        if system.layer is None:
            return {}
        with unpacked_layer(self.store, system.layer, self.scratch) as tar, tarfile.open(tar) as archive:
            return {
                member.name: member.linkname if member.issym() else archive.extractfile(member).read()
                for member in archive
                if not member.isdir()
            }

    def programs(self, system: SystemLayer) -> set[str]:
        """Paths that may be run."""
        assert system.layer is not None
        with unpacked_layer(self.store, system.layer, self.scratch) as tar, tarfile.open(tar) as archive:
            return {member.name for member in archive if member.isfile() and member.mode & 0o111}
