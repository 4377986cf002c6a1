"""Reads the facts of a layer out of its tar: one walk over the members, each looked at once."""

from __future__ import annotations

import csv
import json
import posixpath
import re
import tarfile
from collections.abc import Iterable
from email.parser import Parser
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from runtime_images.elf_needs import MAGIC
from runtime_images.elf_programs import Region, is_module, mentioned_libraries, read_program
from runtime_images.layer_contents import clean_name
from runtime_images.layer_facts import DebianPackage, LayerFacts, Program, Project
from runtime_images.licence_names import licence_of_copyright, licence_of_metadata
from wheelyard.image_receipt import Component

_DIST_INFO = re.compile(r"(?:.*/)?(?:site|dist)-packages/[^/]+\.dist-info/(?:METADATA|RECORD|sboms/[^/]+)")
_STATUS = "var/lib/dpkg/status"
_RELEASES = ("etc/os-release", "usr/lib/os-release")
_STATUS_FOLDER = "var/lib/dpkg/status.d/"
_LISTS = "var/lib/dpkg/info/"
_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright")
_DOC_LINK = re.compile(r"usr/share/doc/([^/]+)")
_CAPABILITY = "SCHILY.xattr.security.capability"
_DOCUMENT_LIMIT = 16 << 20
_MOST_COMPONENTS = 500


def read_facts(tar: Path) -> LayerFacts:
    """Read every member of a layer's tar that says something.

    :param tar: uncompressed.
    """
    walk = _Walk()
    if tar.stat().st_size == 0:
        return LayerFacts()
    with (
        tarfile.open(tar, mode="r:", encoding="utf-8") as archive,
        tar.open("rb") as stream,
        mmap(stream.fileno(), 0, access=ACCESS_READ) as whole,
    ):
        for member in archive:
            walk.look_at(member, whole)
    return walk.facts()


class _Walk:
    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._doc_links: dict[str, str] = {}
        self._programs: dict[str, Program] = {}
        self._scripts: dict[str, str] = {}
        self._modules: list[str] = []
        self._mentions: dict[str, tuple[str, ...]] = {}
        self._capabilities: list[str] = []

    def look_at(self, member: tarfile.TarInfo, whole: mmap) -> None:
        path = clean_name(member.name)
        if member.issym() and (link := _DOC_LINK.fullmatch(path)):
            self._doc_links[link[1]] = posixpath.basename(member.linkname)
        if not member.isreg() or not path:
            return
        if _CAPABILITY in member.pax_headers:
            self._capabilities.append(path)
        file = Region(whole, member.offset_data, member.offset_data + member.size)
        if _is_document(path) and member.size <= _DOCUMENT_LIMIT:
            self._texts[path] = file.bytes().decode("utf-8", "replace")
        head = file.bytes(200)
        if head[:4] == MAGIC:
            self._look_at_elf(path, file)
        elif head[:2] == b"#!" and member.mode & 0o111:
            self._scripts[path] = head[2:].partition(b"\n")[0].decode("utf-8", "replace").strip()
        if path.endswith(".py") and (names := mentioned_libraries(file, source=True)):
            self._mentions[path] = names

    def _look_at_elf(self, path: str, file: Region) -> None:
        program = read_program(file)
        if program is not None:
            self._programs[path] = program
        if is_module(file, path):
            self._modules.append(path)
        own = posixpath.basename(path)
        names = tuple(name for name in mentioned_libraries(file, source=False) if name != own)
        if names:
            self._mentions[path] = names

    def facts(self) -> LayerFacts:
        copyrights = {
            match[1]: licence_of_copyright(text)
            for path, text in sorted(self._texts.items())
            if (match := _COPYRIGHT.fullmatch(path))
        }
        for name, target in self._doc_links.items():
            if target in copyrights:
                copyrights.setdefault(name, copyrights[target])
        return LayerFacts(
            projects=tuple(_projects(self._texts)),
            packages=tuple(_packages(self._texts)),
            copyrights=copyrights,
            programs=self._programs,
            scripts=self._scripts,
            modules=tuple(sorted(self._modules)),
            mentions=self._mentions,
            capabilities=tuple(sorted(self._capabilities)),
            release=_release(self._texts),
        )


def _is_document(path: str) -> bool:
    return (
        _DIST_INFO.fullmatch(path) is not None
        or path in (_STATUS, *_RELEASES)
        or path.startswith(_STATUS_FOLDER)
        or (path.startswith(_LISTS) and path.endswith((".list", ".md5sums")))
        or _COPYRIGHT.fullmatch(path) is not None
    )


def _projects(texts: dict[str, str]) -> Iterable[Project]:
    for path, text in sorted(texts.items()):
        if not path.endswith(".dist-info/METADATA"):
            continue
        folder = posixpath.dirname(path)
        metadata = Parser().parsestr(text, headersonly=True)
        name = str(metadata.get("Name") or "")
        if not name:
            continue
        boms = (texts[each] for each in sorted(texts) if each.startswith(f"{folder}/sboms/"))
        yield Project(
            name=canonicalize_name(name),
            version=str(metadata.get("Version") or ""),
            folder=folder,
            licence=licence_of_metadata(metadata),
            requires=tuple(map(str, metadata.get_all("Requires-Dist") or ())),
            files=_recorded(texts.get(f"{folder}/RECORD", ""), posixpath.dirname(folder)),
            components=tuple(one for bom in boms for one in _components(bom, canonicalize_name(name))),
        )


def _recorded(record: str, site: str) -> tuple[str, ...]:
    try:
        rows = list(csv.reader(record.splitlines()))
    except csv.Error:
        return ()
    paths = (posixpath.normpath(posixpath.join("/", site, row[0])) for row in rows if row)
    return tuple(sorted(path.lstrip("/") for path in paths))


def _components(bom: str, project: str) -> Iterable[Component]:
    """What a CycloneDX document in a wheel lists, but for the wheel itself."""
    try:
        document: Any = json.loads(bom)
    except (ValueError, RecursionError):
        return
    listed = document.get("components") if isinstance(document, dict) else None
    for one in listed[:_MOST_COMPONENTS] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or canonicalize_name(_text(one.get("name"))) == project:
            continue
        yield Component(
            name=_text(one.get("name")), version=_text(one.get("version")), purl=_text(one.get("purl"))
        )


def _text(value: object) -> str:
    """A text of a foreign JSON document, without the lone surrogates that no UTF-8 has."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _packages(texts: dict[str, str]) -> Iterable[DebianPackage]:
    stanzas = [
        paragraph
        for path, text in sorted(texts.items())
        if path == _STATUS or (path.startswith(_STATUS_FOLDER) and not path.endswith(".md5sums"))
        for paragraph in text.split("\n\n")
        if paragraph.strip()
    ]
    for stanza in stanzas:
        name, version = _field(stanza, "Package"), _field(stanza, "Version")
        status = _field(stanza, "Status")
        if not name or (status and not status.endswith(" installed")):
            continue
        yield DebianPackage(
            name=name,
            version=version,
            architecture=_field(stanza, "Architecture"),
            source=_field(stanza, "Source"),
            files=_owned(texts, name, _field(stanza, "Architecture")),
        )


def _owned(texts: dict[str, str], name: str, architecture: str) -> tuple[str, ...]:
    paths = {
        line.partition("  ")[2] for line in texts.get(f"{_STATUS_FOLDER}{name}.md5sums", "").splitlines()
    }
    for full_name in (name, f"{name}:{architecture}"):
        paths |= {line.lstrip("/") for line in texts.get(f"{_LISTS}{full_name}.list", "").splitlines()}
    # With a merged /usr a package still says /lib of what lies in /usr/lib.
    merged = {f"usr/{path}" for path in paths if path.startswith(("lib/", "lib64/", "bin/", "sbin/"))}
    return tuple(sorted((paths | merged) - {"", "."}))


def _release(texts: dict[str, str]) -> str:
    for path in _RELEASES:
        text = texts.get(path, "")
        said = dict(re.findall(r'^(ID|VERSION_ID)="?([A-Za-z0-9._-]+)"?$', text, re.MULTILINE))
        if "ID" in said:
            return "-".join(said[name] for name in ("ID", "VERSION_ID") if name in said)
    return ""


def _field(stanza: str, name: str) -> str:
    match = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    return match[1].strip() if match else ""
