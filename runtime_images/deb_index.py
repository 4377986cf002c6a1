"""What a Debian package holds, read once and kept by its digest: paths, needs, checksums, sonames."""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime_images.deb_file import read_control, unpack_data
from runtime_images.layer_contents import Entry, LayerContents, clean_name, read_contents
from runtime_images.merged_usr import MERGED, merged_path
from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import StoreUnavailable
from wheelyard.package_lock import deb_index_name
from wheelyard.store.contract import Store

# What no program reads while it runs; copyright files stay, as their licences ask.
_NOT_IN_IMAGES = re.compile(
    r"""
    usr/share/(doc/(?![^/]+(/copyright)?$).*|(doc-base|info|lintian|locale|man|bug|menu|bash-completion|zsh|fish)/.*)
    | usr/lib/(systemd|tmpfiles\.d|sysusers\.d|debug|valgrind)/.*
    | etc/(init\.d|cron\.[a-z]+|logrotate\.d|default|bash_completion\.d|apparmor\.d)/.*
    | (dev|proc|sys|run|tmp|boot|home|root)/.* | var/(cache|log|tmp|backups|run|lock)/.*
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebIndex:
    """One binary package.

    :param name: without its architecture.
    :param version: with its epoch.
    :param stanza: its control file.
    :param contents: paths as they are in an image with merged `/usr`, without those that no image holds.
    :param md5sums: path to md5, of its regular files.
    :param shlibs: soname to the package that provides it, as its own control file `shlibs` says.
    """

    name: str
    version: str
    stanza: str
    contents: LayerContents
    md5sums: Mapping[str, str]
    shlibs: Mapping[str, str]

    @property
    def depends(self) -> tuple[tuple[str, ...], ...]:
        """What it depends on: for each dependency the packages of which one meets it, versions left out."""
        text = f"{field_of(self.stanza, 'Pre-Depends')},{field_of(self.stanza, 'Depends')}"
        return tuple(
            tuple(re.split(r"[\s(:\[]", choice.strip())[0] for choice in dependency.split("|"))
            for dependency in text.split(",")
            if dependency.strip()
        )

    @property
    def provides(self) -> tuple[str, ...]:
        """Names that it goes by beside its own."""
        text = field_of(self.stanza, "Provides")
        return tuple(re.split(r"[\s(]", name.strip())[0] for name in text.split(",") if name.strip())

    def to_document(self) -> dict[str, Any]:
        """The index as JSON-serialisable fields; `from_document` is its inverse."""
        return {
            "name": self.name,
            "version": self.version,
            "stanza": self.stanza,
            "contents": self.contents.to_document(),
            "md5sums": dict(self.md5sums),
            "shlibs": dict(self.shlibs),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DebIndex:
        """Inverse of `to_document`."""
        return cls(**{**document, "contents": LayerContents.from_document(document["contents"])})


def index_of(store: Store, deb: Digest, scratch: Path) -> DebIndex:
    """A package's index: from the stored document, or read out of its file and kept.

    :param scratch: folder for the file, where it has to be unpacked.
    :raises StoreUnavailable: neither the document nor the file is in the store.
    """
    body = store.get_document(deb_index_name(deb))
    if body is not None:
        return DebIndex.from_document(json.loads(body))
    with tempfile.TemporaryDirectory(dir=scratch, prefix="deb-") as folder:
        place = fetched_deb(store, deb, Path(folder))
        index = read_deb(place, Path(folder))
    store.put_document(deb_index_name(deb), canonical_json(index.to_document()))
    return index


def fetched_deb(store: Store, deb: Digest, folder: Path) -> Path:
    """A package's file out of the store.

    :raises StoreUnavailable: it is not there.
    """
    place = folder / f"{deb.hex}.deb"
    if not store.fetch_blob(deb, place):
        raise StoreUnavailable(
            "a Debian package of an image is not in the store",
            expected=str(deb),
            do="ask for the image again, so that it is fetched from the mirror",
        )
    return place


def read_deb(deb: Path, scratch: Path) -> DebIndex:
    """Read a package's control files and all of its paths.

    :param scratch: folder for its files' tar while it is read.
    :raises ForeignOutputRefused: it is no Debian package.
    """
    control = {name: body.decode("utf-8", "replace") for name, body in read_control(deb).items()}
    tar = scratch / f"{deb.name}.tar"
    unpack_data(deb, tar)
    contents = read_contents(tar, wanted=_wanted)
    tar.unlink()
    stanza = control.get("control", "").strip("\n")
    return DebIndex(
        name=field_of(stanza, "Package"),
        version=field_of(stanza, "Version"),
        stanza=stanza,
        contents=_merged(contents),
        md5sums=dict(_sums(control.get("md5sums", ""))),
        shlibs=dict(read_shlibs(control.get("shlibs", ""))),
    )


def keep_in_image(path: str) -> bool:
    """Whether a package's file may belong into an image at all.

    :param path: with merged `/usr`, without a slash at its start.
    """
    return _NOT_IN_IMAGES.fullmatch(path) is None


def field_of(stanza: str, name: str) -> str:
    """A field of a control file, its first line; empty where it has none (deb-control(5))."""
    match = re.search(rf"^{re.escape(name)}: *(.*)$", stanza, re.MULTILINE)
    return match[1].strip() if match else ""


def read_shlibs(text: str) -> dict[str, str]:
    """Soname to package, out of lines `LIBRARY VERSION DEPENDENCIES` (deb-shlibs(5))."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not line.startswith(("#", "udeb:")):
            library, version, package = words[:3]
            # A soname is LIBRARY.so.VERSION or LIBRARY-VERSION.so; nothing tells which of the two it is.
            for soname in (f"{library}.so.{version}", f"{library}-{version}.so"):
                found[soname] = package
    return found


def _wanted(member: tarfile.TarInfo) -> bool:
    return keep_in_image(merged_path(clean_name(member.name)))


def _merged(contents: LayerContents) -> LayerContents:
    entries: dict[str, Entry] = {}
    for path, entry in contents.entries.items():
        place = merged_path(path)
        if place in {f"usr/{name}" for name in MERGED} and entry.kind == "link":
            continue
        entries[place] = _moved(path, place, entry) if place != path and entry.kind == "link" else entry
    return LayerContents(
        entries=entries, elves={merged_path(path): needs for path, needs in contents.elves.items()}
    )


def _moved(path: str, place: str, entry: Entry) -> Entry:
    """A relative link out of `/lib` leads to the same file from `/usr/lib`."""
    if entry.target.startswith("/"):
        return entry
    aim = merged_path(posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target)))
    return replace(entry, target=posixpath.relpath(aim, posixpath.dirname(place)))


def _sums(text: str) -> dict[str, str]:
    rows = (line.partition("  ")[::2] for line in text.splitlines())
    sums = {merged_path(clean_name(path)): digest for digest, path in rows}
    return {path: digest for path, digest in sums.items() if keep_in_image(path)}
