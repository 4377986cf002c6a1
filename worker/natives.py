"""Native artifacts in containers: unpacked on the host, mounted at their prefixes, found by compilers."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, StoreUnavailable
from wheelyard.native_recipe import prefix_of
from wheelyard.store.contract import Store
from worker.native_check import refuse_ways_out


def lay_natives(store: Store, natives: Mapping[str, str], folder: Path) -> None:
    """Unpack native artifacts, each into a folder of its name; may be repeated.

    :param natives: name to digest of the archive, as a build's inputs have them.
    :param folder: made where it is missing.
    :raises StoreUnavailable: one of them is not in the store.
    """
    for name, digest in sorted(natives.items()):
        target = folder / name
        if target.is_dir():
            continue
        archive, part = folder / f"{name}.tar", folder / f"{name}.part"
        folder.mkdir(parents=True, exist_ok=True)
        if not store.fetch_blob(Digest.parse(digest), archive):
            raise lost_native(name, digest)
        unpack_native(archive, part)
        archive.unlink()
        part.rename(target)


def lost_native(name: str, expected: str) -> StoreUnavailable:
    """The error of a native artifact that was there when it was planned with.

    :param expected: its digest, or its node's id.
    """
    return StoreUnavailable(
        f"the native artifact {name} is not in the store any more",
        expected=expected,
        do="ask for the build again, so that it is made again",
    )


def unpack_native(archive: Path, folder: Path) -> None:
    """Unpack an archive whose contents foreign code made.

    :param folder: made for it.
    :raises ForeignOutputRefused: a member leads out of the folder, or is a device.
    """
    folder.mkdir(parents=True)
    try:
        refuse_ways_out(archive)
        # Newer Pythons want to be told that the members may be as they are.
        trust = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        with tarfile.open(archive, mode="r:") as tar:
            tar.extractall(folder, **trust)  # type: ignore[arg-type]  # noqa: S202  # each one was looked at
        for place in (folder, *folder.rglob("*")):
            # Containers read it as another user, whatever this process's umask is.
            if place.is_dir() and not place.is_symlink():
                place.chmod(0o755)
    except tarfile.TarError as error:
        raise ForeignOutputRefused(
            "a native artifact can't be unpacked", expected="files and links inside of it", found=str(error)
        ) from error


def mounts_of(folder: Path, names: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Where the folders of natives are mounted: host path and path in the container.

    :param folder: as `lay_natives` filled it.
    """
    for name in sorted(names):
        yield folder / name, prefix_of(name)


def native_variables(names: Iterable[str]) -> dict[str, str]:
    """Variables by which compilers, linkers, pkg-config, CMake, the loader and auditwheel find natives."""
    prefixes = [prefix_of(name) for name in sorted(names)]
    if not prefixes:
        return {}
    folders = {
        "PKG_CONFIG_PATH": "/lib/pkgconfig",
        "CMAKE_PREFIX_PATH": "",
        "CPATH": "/include",
        "LIBRARY_PATH": "/lib",
        "LD_LIBRARY_PATH": "/lib",
    }
    return {name: ":".join(f"{prefix}{place}" for prefix in prefixes) for name, place in folders.items()}
