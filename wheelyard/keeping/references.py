"""Which blob is named by what, exactly: so that a damaged or lost one can be told and mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest, key_of
from wheelyard.errors import WheelyardError
from wheelyard.image_catalogue import ALL_IMAGES
from wheelyard.image_record import ImageRecord
from wheelyard.image_referrers import SUBJECTS
from wheelyard.index_file import FILES, IndexFile
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import FileRow, ImageBlobRow, ImageManifestRow, ToolchainRow
from wheelyard.keeping.document_reader import read_documents
from wheelyard.keeping.progress import Progress
from wheelyard.keeping.row_pages import rows_by
from wheelyard.keeping.scratch_database import ScratchDatabase
from wheelyard.package_lock import package_digests
from wheelyard.store.contract import Store
from wheelyard.toolchain_record import PLACE as TOOLCHAINS
from wheelyard.toolchain_record import ToolchainRecord
from wheelyard.wheel_record import WheelRecord

_WHEELS = "records/wheels/"
_IMAGES = "records/images/"
_TABLES = """
CREATE TABLE named (
    digest TEXT, role TEXT, name TEXT, key TEXT, PRIMARY KEY (digest, role, key)
) WITHOUT ROWID;
CREATE TABLE seen (digest TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Role(StrEnum):
    """What a blob is to whatever names it."""

    WHEEL = "wheel"
    METADATA = "metadata"
    INPUT = "input"
    PATCH = "patch"
    UPLOAD = "upload"
    UPLOADED_METADATA = "metadata of an upload"
    PROVENANCE = "provenance"
    IMAGE = "part of an image"
    ATTACHED = "part of what is attached to an image"
    PUSHED = "part of an image in the registry"
    TOOLCHAIN = "part of a toolchain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One name of a blob.

    :param name: for people: a file name, an image, a toolchain.
    :param key: of a wheel its build key, of an upload its wheel's digest, of an image its record's document.
    """

    digest: Digest
    role: Role
    name: str
    key: str = ""


class References(ScratchDatabase):
    """What names which blob, and which blobs were seen: in a file of its own, for a store may be large."""

    def __init__(self) -> None:
        super().__init__(_TABLES)

    def add(self, reference: Reference) -> None:
        """Note a name."""
        row = (reference.digest.hex, reference.role.value, reference.name, reference.key)
        self._database.execute("INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?)", row)

    def saw(self, digest: Digest) -> None:
        """Note a blob that is there."""
        self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest.hex,))

    def of(self, digest: Digest) -> list[Reference]:
        """Everything that names a blob."""
        query = "SELECT digest, role, name, key FROM named WHERE digest = ? ORDER BY role, name, key"
        return [_reference(*row) for row in self._database.execute(query, (digest.hex,))]

    def lost(self) -> Iterator[Digest]:
        """Blobs that something names and nobody saw, but for inputs, which are fetched again at need."""
        query = """
            SELECT DISTINCT digest FROM named
            WHERE role != ? AND digest NOT IN (SELECT digest FROM seen) ORDER BY digest
        """
        for (digest,) in self._database.execute(query, (Role.INPUT.value,)):
            yield Digest(digest)


def _reference(digest: str, role: str, name: str, key: str) -> Reference:
    return Reference(digest=Digest(digest), role=Role(role), name=name, key=key)


def read_references(
    store: Store, database: Database, progress: Progress, unreadable: list[str]
) -> Iterator[Reference]:
    """Everything that names a blob, in the documents of the store and in the rows of the database.

    :param unreadable: gets the documents that are damaged themselves.
    """
    reading = _Reading(store, progress, unreadable)
    yield from reading.wheels()
    with database.reading() as session:
        for row in rows_by(session, select(FileRow), FileRow.channel, FileRow.filename):
            yield from _of_file(row.digest, row.metadata_digest, row.provenance, row.filename, row.build_key)
        current = {row.name: row.image for row in session.scalars(select(ToolchainRow))}
        yield from _of_registry(session)
    reading.bindings()
    yield from reading.images()
    yield from reading.attached()
    yield from reading.toolchains(current)


class _Reading:
    """The store's own documents, those that are damaged passed over."""

    def __init__(self, store: Store, progress: Progress, unreadable: list[str]) -> None:
        self._store = store
        self._progress = progress
        self._unreadable = unreadable

    def wheels(self) -> Iterator[Reference]:
        for name, document in self._read(_WHEELS):
            with _passing(name, self._unreadable):
                record = WheelRecord.from_document(document)
                if name == record.document_name and key_of(document["inputs"]) == document["build_key"]:
                    yield from _of_wheel(record)
                else:
                    self._unreadable.append(f"{name}: its inputs are not those of its build key")

    def bindings(self) -> None:
        for name, document in self._read(FILES):
            with _passing(name, self._unreadable):
                file = IndexFile.from_document(document)
                if file.document_name != name:
                    self._unreadable.append(f"{name}: it binds another file name, {file.filename}")

    def images(self) -> Iterator[Reference]:
        for name, document in self._read(_IMAGES):
            with _passing(name, self._unreadable):
                image = ImageRecord.from_document(document)
                layers = [layer.digest for layer in image.layers]
                for digest in (image.image_id, image.manifest_digest, *layers):
                    title = f"image {image.key[:12]}"
                    yield Reference(digest=digest, role=Role.IMAGE, name=title, key=name)

    def attached(self) -> Iterator[Reference]:
        for name, document in self._read(SUBJECTS):
            with _passing(name, self._unreadable):
                title = f"what is attached to {document['subject'][:19]}"
                for digest in (document["manifest"]["digest"], *document["blobs"]):
                    yield Reference(digest=Digest.parse(digest), role=Role.ATTACHED, name=title, key=name)

    def toolchains(self, current: dict[str, str]) -> Iterator[Reference]:
        for name, document in self._read(TOOLCHAINS):
            with _passing(name, self._unreadable):
                toolchain = ToolchainRecord.from_document(document)
                if current.get(toolchain.name, toolchain.image) != toolchain.image:
                    continue
                layers = [*toolchain.layers, *([toolchain.base] if toolchain.base else [])]
                images = [Digest.parse(toolchain.image), Digest.parse(toolchain.manifest)]
                for digest in (*images, *(layer.digest for layer in layers)):
                    yield Reference(digest=digest, role=Role.TOOLCHAIN, name=toolchain.name, key=name)

    def _read(self, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        names = self._store.list_documents(prefix)
        for name, body in read_documents(self._store, names, self._progress, prefix.strip("/")):
            try:
                document = json.loads(body)
            except ValueError as error:
                self._unreadable.append(f"{name}: {error}")
                continue
            yield name, document


def _of_registry(session: Session) -> Iterator[Reference]:
    """What clients pushed, or what tags stand for; images that were made here have their own word, too."""
    manifest, blob = ImageManifestRow, ImageBlobRow
    for row in rows_by(session, select(manifest), manifest.repository, manifest.digest):
        if row.repository != ALL_IMAGES:
            yield Reference(digest=Digest.parse(row.digest), role=Role.PUSHED, name=row.repository)
    for row in rows_by(session, select(blob), blob.repository, blob.digest, blob.manifest):
        if row.repository != ALL_IMAGES and row.manifest:
            yield Reference(digest=Digest.parse(row.digest), role=Role.PUSHED, name=row.repository)


def _of_wheel(record: WheelRecord) -> Iterator[Reference]:
    inputs: BuildInputs = record.inputs
    yield Reference(digest=record.digest, role=Role.WHEEL, name=record.filename, key=record.key)
    yield Reference(digest=record.metadata_digest, role=Role.METADATA, name=record.filename, key=record.key)
    packages = zip(inputs.packages, package_digests(inputs.packages), strict=True)
    parts = (*inputs.build_wheels.items(), *inputs.natives.items(), *packages)
    for filename, digest in ((inputs.sdist_filename, inputs.sdist), *parts):
        yield Reference(digest=Digest.parse(digest), role=Role.INPUT, name=filename)
    for digest in inputs.patches:
        yield Reference(digest=Digest.parse(digest), role=Role.PATCH, name=record.filename, key=record.key)


def _of_file(digest: str, metadata: str, provenance: str, filename: str, key: str) -> Iterator[Reference]:
    if not key:
        yield Reference(digest=Digest.parse(digest), role=Role.UPLOAD, name=filename)
        if metadata:
            yield Reference(
                digest=Digest.parse(metadata), role=Role.UPLOADED_METADATA, name=filename, key=digest
            )
    else:
        yield Reference(digest=Digest.parse(digest), role=Role.WHEEL, name=filename, key=key)
    if provenance:
        yield Reference(digest=Digest.parse(provenance), role=Role.PROVENANCE, name=filename)


class _passing:  # noqa: N801 - reads as a statement
    """Notes a document that is not what it should be, and goes on."""

    def __init__(self, name: str, unreadable: list[str]) -> None:
        self._name = name
        self._unreadable = unreadable

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, WheelyardError | KeyError | TypeError | ValueError | AttributeError):
            return False
        self._unreadable.append(f"{self._name}: {error!r}")
        return True
