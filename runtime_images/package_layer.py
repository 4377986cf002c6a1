"""A layer of Debian packages' files: made once for the same packages over the same base, and kept."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from runtime_images.deb_file import open_data
from runtime_images.deb_index import DebIndex, fetched_deb, index_of
from runtime_images.debian_packages import STATUS_FOLDER, Package
from runtime_images.layer_contents import clean_name
from runtime_images.merged_usr import merged_path
from runtime_images.package_slice import Below, Slice, slice_packages
from runtime_images.stored_layers import keep_layer
from runtime_images.system_layer import (
    SystemLayer,
    find_system_layer,
    keep_system_layer,
    layer_document,
)
from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.digests import Digest, key_of
from wheelyard.oci import Layer
from wheelyard.package_lock import parse_package
from wheelyard.store.contract import Store

PACKAGE_LAYER_FORMAT = 1
"""Raised when the same packages would make another layer; part of its name."""

_KIND = "packages"
_COPIES = 4
_TITLE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """Which files of which Debian packages, exactly.

    :param asked: names; their own files, and what these load.
    :param whole: names; all their files, and all those of what they depend on.
    :param sonames: libraries that must be there, whichever package has them.
    :param debs: all of these packages and what they need beyond the base, name to `VERSION sha256:…`.
    """

    asked: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    sonames: tuple[str, ...] = ()
    debs: Mapping[str, str] = field(default_factory=dict)

    def key(self, below: Sequence[Layer], machine: str) -> str:
        """What the layer is kept by.

        :param below: layers that lie below it.
        """
        return key_of(
            {
                "asked": sorted(set(self.asked)),
                "whole": sorted(set(self.whole)),
                "sonames": sorted(set(self.sonames)),
                "debs": dict(self.debs),
                "below": [str(layer.diff_id) for layer in below],
                "machine": machine,
                "format": PACKAGE_LAYER_FORMAT,
            }
        )


def make_package_layer(
    store: Store,
    packages: Packages,
    *,
    layers: Sequence[Layer],
    below: Callable[[], Below],
    machine: str,
    what: str,
    scratch: Path,
    check: Callable[[], None] = lambda: None,
) -> SystemLayer:
    """Lay the files of packages into a layer; without running any script of theirs.

    A function of its arguments: kept in the store, and answered from there the next time.

    :param packages: what is taken; their files are in the store once `below` was called.
    :param layers: those below.
    :param below: gives what these add up to; called only where the layer has to be made.
    :param what: it is, for people: `packages`, `libraries`.
    :param scratch: folder for the packages while they are read.
    :param check: called now and then; what it raises ends the making.
    :raises StoreUnavailable: a package is not in the store.
    """
    if not packages.debs:
        return SystemLayer(nowhere=dict.fromkeys(packages.sonames, ""))
    key = packages.key(layers, machine)
    kept = find_system_layer(store, _KIND, key)
    if kept is not None:
        return kept
    digests = {name: parse_package(entry)[1] for name, entry in packages.debs.items()}
    ground = below()
    pool: dict[str, DebIndex] = {}
    for name, digest in sorted(digests.items()):
        check()
        pool[name] = index_of(store, digest, scratch)
    taken = slice_packages(
        pool, ground, machine, asked=packages.asked, whole=packages.whole, sonames=packages.sonames
    )
    layer = None
    if taken.files or taken.links:
        with tempfile.TemporaryDirectory(dir=scratch, prefix="packages-") as folder:
            place = Path(folder)
            files = _copy_files(store, taken, pool, digests, place, check)
            records = _records(taken, pool, ground, files)
            with (place / "layer.tar").open("wb") as tar:
                write_layer_tar(tar, _members(taken, pool, files, records))
            # Where the files lie below already, the layer holds nothing but links of libraries.
            shown = packages.asked or packages.whole or taken.packages or sorted(taken.libraries)
            title = f"{what} {' '.join(shown)}"
            name = layer_document(_KIND, key)
            layer = keep_layer(store, name, place / "layer.tar", title[:_TITLE], place)
    system = SystemLayer(
        layer=layer,
        libraries=taken.libraries,
        packages={name: pool[name].version for name in taken.packages},
        nowhere=taken.nowhere,
    )
    keep_system_layer(store, _KIND, key, system)
    return system


def _copy_files(
    store: Store,
    taken: Slice,
    pool: Mapping[str, DebIndex],
    digests: Mapping[str, Digest],
    folder: Path,
    check: Callable[[], None],
) -> dict[str, Path]:
    """Copy what is taken out of each package, and the copyright files; path in the image to copy."""
    copies: dict[str, Path] = {}
    for name in taken.packages:
        check()
        wanted = {path for path, owner in taken.files.items() if owner == name}
        papers = _copyright_path(pool, name)
        if papers is not None and papers[0] == name:
            wanted.add(papers[1])
        deb = fetched_deb(store, digests[name], folder)
        _copy_from(deb, wanted, copies, folder / name)
        deb.unlink()
    for owner in {papers[0] for name in taken.packages if (papers := _copyright_path(pool, name))}:
        if owner not in taken.packages:
            path = _own_copyright(owner)
            deb = fetched_deb(store, digests[owner], folder)
            _copy_from(deb, {path}, copies, folder / owner)
            deb.unlink()
    return copies


def _copy_from(deb: Path, wanted: Iterable[str], copies: dict[str, Path], folder: Path) -> None:
    left = set(wanted)
    folder.mkdir()
    with open_data(deb) as tar:
        first: dict[str, str] = {}
        links: dict[str, list[str]] = {}
        for member in tar:
            path = merged_path(clean_name(member.name))
            if member.islnk() and path in left:
                links.setdefault(merged_path(clean_name(member.linkname)), []).append(path)
            elif member.isreg() and path in left and (stream := tar.extractfile(member)) is not None:
                first[path] = path
                copies[path] = _written(stream, folder / str(len(copies)))
    for target, paths in links.items():
        if target in first:
            copies |= dict.fromkeys(paths, copies[target])
        else:
            # Its bytes lie under a name that nobody wants: read once more, for that one.
            found: dict[str, Path] = {}
            _copy_from(deb, {target}, found, folder / f"links-{len(copies)}")
            copies |= dict.fromkeys(paths, found[target])


def _written(stream: IO[bytes], target: Path) -> Path:
    with stream, target.open("wb") as out:
        while chunk := stream.read(1 << 20):
            out.write(chunk)
    return target


def _open(place: Path) -> IO[bytes]:
    return place.open("rb")


def _own_copyright(name: str) -> str:
    return f"usr/share/doc/{name}/copyright"


def _copyright_path(pool: Mapping[str, DebIndex], name: str) -> tuple[str, str] | None:
    """The package and path of a package's copyright file; its folder may be a link to another package's."""
    owner = name
    for _ in range(_COPIES):
        index = pool.get(owner)
        if index is None:
            return None
        entry = index.contents.entries.get(_own_copyright(owner))
        if entry is not None and entry.kind == "file":
            return owner, _own_copyright(owner)
        folder = index.contents.entries.get(f"usr/share/doc/{owner}")
        link = entry if entry is not None else folder
        if link is None or link.kind != "link":
            return None
        parts = [part for part in link.target.split("/") if part not in ("", "..", ".", "copyright", "doc")]
        owner = parts[-1] if parts else ""
    return None


def _records(
    taken: Slice, pool: Mapping[str, DebIndex], below: Below, files: Mapping[str, Path]
) -> dict[str, bytes]:
    """What scanners read of each package (status.d, as distroless images have it): path to bytes."""
    records: dict[str, bytes] = {}
    for name in taken.packages:
        index, papers = pool[name], _copyright_path(pool, name)
        # A package of which the base has a part is recorded with both parts.
        there = {
            path: digest
            for path, digest in index.md5sums.items()
            if path in taken.files or below.tree.get(path) is not None or (papers and path == papers[1])
        }
        package = Package(
            name=name,
            version=index.version,
            stanza=index.stanza,
            md5sums=there,
            copyright=files[papers[1]].read_bytes() if papers else None,
        )
        records |= package.files()
    return records


def _members(
    taken: Slice, pool: Mapping[str, DebIndex], files: Mapping[str, Path], records: Mapping[str, bytes]
) -> list[NewMember]:
    members = []
    for path, name in taken.files.items():
        entry = pool[name].contents.entries[path]
        members.append(
            NewMember(
                path=path,
                kind=tarfile.REGTYPE,
                executable=bool(entry.mode & 0o111),
                size=entry.size,
                opener=partial(_open, files[path]),
            )
        )
    members += [
        NewMember(path=path, kind=tarfile.SYMTYPE, target=target) for path, target in taken.links.items()
    ]
    members += [
        NewMember(path=path, kind=tarfile.REGTYPE, size=len(body), opener=partial(io.BytesIO, body))
        for path, body in records.items()
        if path not in taken.files
    ]
    return members


def recorded_in(paths: Iterable[str]) -> tuple[str, ...]:
    """Names of the packages that an image's `status.d` records, out of its paths."""
    place = f"{STATUS_FOLDER}/"
    names = (path.removeprefix(place) for path in paths if path.startswith(place))
    return tuple(sorted(name for name in names if not name.endswith(".md5sums")))
