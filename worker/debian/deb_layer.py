"""Debian packages as an image layer over a system that is there: files only, no script of theirs is run."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from runtime_images.merged_usr import merged_path
from wheelyard.process import run_command
from worker.debian.alternatives import Alternative, best_alternatives, read_alternatives
from worker.layer_tar import Entry, normalise_tar, pack_folder

STATUS = "var/lib/dpkg/status"
_UNPACK_SECONDS = 600.0

# What the toolchains' own images leave out, too; copyright files stay, as their licences ask.
_NOT_IN_LAYER = re.compile(
    r"""
    usr/share/(doc/(?![^/]+/copyright$).*|(doc-base|info|lintian|locale|man|bug|menu)/.*)
    | (dev|proc|sys|run|tmp|boot|home|root)/.* | var/(cache|log|tmp|backups)/.*
    """,
    re.VERBOSE | re.DOTALL,
)


def make_packages_tar(debs: Iterable[Path], status: str, work: Path, mtime: int) -> Path:
    """Lay the files of packages into the tar stream of a layer, with dpkg's status brought up to date.

    No maintainer script is run: there are no diversions, triggers or users of theirs. The names that they
    would give to alternatives are links, straight to what they lead to.

    :param debs: the `.deb` files.
    :param status: the text of `/var/lib/dpkg/status` of the image below.
    :param work: an empty folder for this.
    :param mtime: seconds since the epoch, for every file.
    :returns: the uncompressed tar.
    """
    root, unpacked = work / "root", work / "package"
    root.mkdir()
    controls, offers = [], list[Alternative]()
    for deb in sorted(debs):
        run_command(["dpkg-deb", "--raw-extract", str(deb), str(unpacked)], timeout=_UNPACK_SECONDS)
        controls.append((unpacked / "DEBIAN" / "control").read_text("utf-8"))
        script = unpacked / "DEBIAN" / "postinst"
        if script.is_file():
            offers += read_alternatives(script.read_text("utf-8", "replace"))
        shutil.rmtree(unpacked / "DEBIAN")
        _merge(unpacked, root)
        shutil.rmtree(unpacked)
    _link_alternatives(root, best_alternatives(offers))
    raw, target = work / "raw.tar", work / "packages.tar"
    pack_folder(root, raw)
    shutil.rmtree(root)
    entry = Entry(path=STATUS, content=merge_status(status, controls).encode())
    with target.open("wb") as stream:
        normalise_tar(raw, stream, mtime=mtime, extra=[entry])
    raw.unlink()
    return target


def keep_in_layer(path: str) -> bool:
    """Whether a package's file belongs into the layer.

    :param path: with merged `/usr`, without a slash at its start.
    """
    return _NOT_IN_LAYER.fullmatch(path) is None


def _merge(unpacked: Path, root: Path) -> None:
    for place in _leaves(unpacked):
        path = merged_path(str(place.relative_to(unpacked)))
        if not keep_in_layer(path):
            continue
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            # Packages share no file, but where one was moved from `/lib` to `/usr/lib` both names are one.
            target.unlink()
        place.rename(target)


def _link_alternatives(root: Path, alternatives: Mapping[str, str]) -> None:
    for link, target in alternatives.items():
        place = root / link
        if keep_in_layer(link) and (root / target).exists() and not (place.is_symlink() or place.exists()):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(f"/{target}")


def _leaves(folder: Path) -> Iterator[Path]:
    """Files and links below a folder; a link to a folder is a link. What is neither is passed over."""
    for here, folders, files in os.walk(folder):
        for name in sorted([*files, *folders]):
            place = Path(here) / name
            if place.is_symlink() or place.is_file():
                yield place


def merge_status(status: str, controls: Iterable[str]) -> str:
    """The status of dpkg after packages were unpacked: their stanzas, in place of older ones of their names.

    :param status: stanzas of what was installed before.
    :param controls: the packages' control files.
    """
    added = {_package(control): _installed(control) for control in controls}
    kept = [stanza for stanza in status.strip().split("\n\n") if stanza and _package(stanza) not in added]
    return "".join(f"{stanza.strip()}\n\n" for stanza in [*kept, *(added[name] for name in sorted(added))])


def _package(stanza: str) -> str:
    return next((line[9:].strip() for line in stanza.splitlines() if line.startswith("Package: ")), "")


def _installed(control: str) -> str:
    """A control file as dpkg's status has it."""
    package = f"Package: {_package(control)}"
    rest = [line for line in control.strip().splitlines() if line != package]
    return "\n".join([package, "Status: install ok installed", *rest])
