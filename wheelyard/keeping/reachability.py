"""What needs which bytes: from the channels' files, live locks, images and records down to each digest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import or_, select

from wheelyard.build_lock import lock_key_of
from wheelyard.catalogue import index_file_of
from wheelyard.digests import Digest
from wheelyard.fitting import FITTING
from wheelyard.image_receipt import RECEIPTS
from wheelyard.image_referrers import REFERRERS
from wheelyard.index_changes import CHANGES
from wheelyard.index_file import FILES, IndexFile
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import (
    BuildLockRow,
    CompilerCacheRow,
    FileRow,
    ImageBlobRow,
    ImageManifestRow,
    ImageUploadPartRow,
    ImageUploadRow,
    JobRow,
    ToolchainRow,
    UpstreamFileRow,
    UpstreamPageRow,
)
from wheelyard.jobs.rows import is_active
from wheelyard.keeping.document_reader import read_documents
from wheelyard.keeping.file_rules import FileVerdict, HeldFile, Rules, judge_channel
from wheelyard.keeping.marks import Marks
from wheelyard.keeping.progress import Progress
from wheelyard.keeping.row_pages import rows_by
from wheelyard.native_record import PLACE as NATIVES
from wheelyard.native_record import NativeRecord, package_of
from wheelyard.package_lock import DEB_INDEXES, deb_index_name, package_digests
from wheelyard.package_lock import IMAGES as PACKAGE_IMAGES
from wheelyard.package_lock import LOCKS as PACKAGE_LOCKS
from wheelyard.removed_files import REMOVED
from wheelyard.store.contract import Store
from wheelyard.toolchain_record import PLACE as TOOLCHAINS
from wheelyard.verification import VERIFIED
from wheelyard.wheel_record import WheelRecord

ACTIVE_JOB = "a job that is active or ended lately"
IMAGE = "a published image needs it"
REGISTRY = "an image in the registry needs it"
PUSH = "it was pushed lately, or a push of it is under way"
REFERRER = "it is about an image that is kept"
FILE = "a channel shows it"
INPUT = "a kept wheel is made of it"
LOG = "the log of a job or a wheel"
TOOLCHAIN = "a toolchain in use"
COMPILER_CACHE = "the newest compiler cache of its project"
UPSTREAM = "upstream's, in use"
BUILD_LOCK = "the build environment of a wheel that is kept"
NAMED = "a document of the store names it"
LIVE = (ACTIVE_JOB, IMAGE)
"""What keeps a file in its channel, too."""

_WHEELS = "records/wheels/"
_IMAGES = "records/images/"
_LAYERS = "records/layers/"
_OF_A_LAYER = re.compile(rf"{_LAYERS}[a-z]+-\d+/")
"""What was read out of a layer, by its diff id: `contents-1`, `requires-1`; it can be read again."""
_NOTES = (VERIFIED, FITTING)
_RECIPES = (NATIVES, PACKAGE_LOCKS, PACKAGE_IMAGES)
_RECORDS = (TOOLCHAINS, _WHEELS, _IMAGES, _LAYERS, *_RECIPES, *_NOTES)
_BESIDE = (REFERRERS, RECEIPTS, DEB_INDEXES)
_KNOWN = (FILES, REMOVED, CHANGES, *_BESIDE, *_RECORDS, "checks/", "probes/", "sweeps/")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Reachability:
    """Marks every digest that something needs, and notes what those were for that nothing does.

    :param rules: which files, logs and upstream files may go.
    :param now: epoch seconds.
    """

    def __init__(
        self, store: Store, database: Database, rules: Rules, now: float, progress: Progress
    ) -> None:
        self._store = store
        self._database = database
        self._rules = rules
        self._now = now
        self._progress = progress
        self._keys: set[str] = set()
        self._images: set[str] = set()
        self._packages: set[tuple[str, str]] = set()
        self._lock_keys: set[str] = set()

    def mark(self, marks: Marks, judged: Callable[[FileVerdict], None]) -> None:
        """Do it all, from what must never go to what is kept only for its sake.

        :param judged: gets what becomes of each file.
        """
        self._mark_jobs(marks)
        self._mark_images(marks)
        self._mark_registry(marks)
        self._mark_referrers(marks)
        self._judge_files(marks, judged)
        self._mark_wheels(marks)
        self._mark_natives(marks)
        self._mark_toolchains(marks)
        self._mark_packages(marks)
        self._mark_layers(marks)
        self._mark_rows(marks)
        self._mark_others(marks)
        self._attach_notes(marks)
        self._attach_receipts(marks)

    # -- live ----------------------------------------------------------------------------------------------

    def _mark_jobs(self, marks: Marks) -> None:
        """Locks, inputs and results of jobs that are active or ended lately: whatever their rows name."""
        self._progress("jobs", 0, 0)
        since = self._now - self._rules.recent
        query = select(JobRow.id, JobRow.title, JobRow.key, JobRow.spec, JobRow.result, JobRow.log).where(
            or_(is_active(), JobRow.ended_at >= since)
        )
        with self._database.reading() as session:
            for row in rows_by(session, query, JobRow.id):
                text = json.dumps([row.spec, row.result])
                marks.keep([*_DIGEST.findall(text), row.log], ACTIVE_JOB, f"{row.title[:60]} ({row.id})")
                self._keys |= {row.key, *row.spec.get("runtime", ())}
                for document in (row.spec, row.result or {}):
                    plan = document.get("plan") or {}
                    self._keys |= {node["key"] for node in plan.get("nodes", ())}
                    self._images |= {
                        str(named[name])
                        for named in (document, plan)
                        for name in ("image", "toolchain_image")
                        if isinstance(named.get(name), str)
                    }

    def _mark_images(self, marks: Marks) -> None:
        for name, body in self._read(_IMAGES, "images"):
            marks.keep(_DIGEST.findall(body.decode(errors="replace")), IMAGE, _stem(name))
            fields = _fields(body)
            self._images.add(str(fields.get("toolchain_image", "")))
            packages = fields.get("packages")
            self._packages |= set(packages.items()) if isinstance(packages, dict) else set()

    def _mark_registry(self, marks: Marks) -> None:
        """Whatever a repository has, tagged or not, and what is being pushed."""
        self._progress("the registry", 0, 0)
        manifest, blob, part = ImageManifestRow, ImageBlobRow, ImageUploadPartRow
        with self._database.reading() as session:
            for row in rows_by(session, select(manifest), manifest.repository, manifest.digest):
                marks.keep([row.digest], REGISTRY, row.repository)
            for row in rows_by(session, select(blob), blob.repository, blob.digest, blob.manifest):
                if row.manifest:
                    marks.keep([row.digest], REGISTRY, row.repository)
                elif not self.push_goes(row.at):
                    marks.keep([row.digest], PUSH, row.repository)
            begun = {row.id: row.at for row in session.scalars(select(ImageUploadRow))}
            for row in rows_by(session, select(part), part.upload, part.begins):
                if not self.push_goes(begun.get(row.upload, 0.0)):
                    marks.keep([row.digest], PUSH)

    def push_goes(self, at: float) -> bool:
        """Whether what was pushed may go, where no manifest ever named it."""
        return self._now - at > self._rules.grace

    def _mark_referrers(self, marks: Marks) -> None:
        """What is said of an image stays with it, and what is said of that, too."""
        waiting: dict[str, list[tuple[str, list[str]]]] = {}
        for name, body in self._read(REFERRERS, "referrers"):
            fields = _fields(body)
            named = _DIGEST.findall(body.decode(errors="replace"))
            subject = str(fields.get("subject", ""))
            waiting.setdefault(subject, []).append((name, [one for one in named if one != subject]))
        kept = [subject for subject in waiting if subject and marks.kept(subject) is not None]
        while kept:
            subject = kept.pop()
            for name, named in waiting.pop(subject, ()):
                marks.keep(named, REFERRER, name)
                kept += [one for one in named if one in waiting]
        for subject, documents in waiting.items():
            for name, named in documents:
                marks.want_no_more(named, "it is about an image that is no more", name)
                for digest in {*named, *([subject] if subject else [])}:
                    marks.attach(digest, name)

    # -- files ---------------------------------------------------------------------------------------------

    def _judge_files(self, marks: Marks, judged: Callable[[FileVerdict], None]) -> None:
        self._progress("files of channels", 0, 0)
        with self._database.reading() as session:
            channels = list(session.scalars(select(FileRow.channel).distinct().order_by(FileRow.channel)))
            for channel in channels:
                query = select(FileRow).where(FileRow.channel == channel)
                rows = rows_by(session, query, FileRow.project, FileRow.filename)
                held = (HeldFile(file=index_file_of(row), used_at=row.used_at) for row in rows)
                pinned = partial(self._live, marks)
                for verdict in judge_channel(held, self._rules, self._now, pinned):
                    judged(verdict)
                    self._mark_file(marks, verdict)

    def _live(self, marks: Marks, file: IndexFile) -> str:
        """Why a file must not go from its channel, whatever the rules say; empty where nothing needs it."""
        if file.build_key in self._keys:
            return ACTIVE_JOB
        found = marks.kept(file.digest)
        return f"{found[0]}: {found[1]}" if found is not None and found[0] in LIVE else ""

    def _mark_file(self, marks: Marks, verdict: FileVerdict) -> None:
        file = verdict.file
        digests = [str(file.digest), str(file.metadata_digest or ""), file.provenance]
        detail = f"{file.filename} in {file.channel}"
        if verdict.goes:
            marks.want_no_more(digests, f"a file that goes from its channel: {verdict.reason}", detail)
        else:
            marks.keep(digests, FILE, detail)

    # -- what these are made of ----------------------------------------------------------------------------

    def _mark_wheels(self, marks: Marks) -> None:
        for name, body in self._read(_WHEELS, "records of wheels"):
            try:
                record = WheelRecord.from_document(json.loads(body))
            except (ValueError, KeyError, TypeError):
                marks.keep(_DIGEST.findall(body.decode(errors="replace")), NAMED, name)
                continue
            marks.attach(record.digest, name)
            if record.key in self._keys:
                marks.keep([record.digest], ACTIVE_JOB, record.filename)
            inputs = record.inputs
            used = [inputs.sdist, *inputs.build_wheels.values(), *inputs.patches]
            used += [*package_digests(inputs.packages), *inputs.natives.values()]
            age = self._now - record.published_at
            if marks.kept(record.digest) is None and age > self._rules.grace:
                marks.want_no_more([record.digest, record.metadata_digest], "a wheel that no channel shows",
                                   record.filename)  # fmt: skip
                marks.want_no_more(used, "an input of wheels that are no more", record.filename)
                marks.want_no_more([record.log], "the log of a wheel that is no more", record.filename)
                continue
            marks.keep([record.digest, record.metadata_digest], FILE, record.filename)
            marks.keep(used, INPUT, record.filename)
            self._mark_log(marks, record.log, record.published_at, record.filename)
            self._images.add(inputs.toolchain)
            self._lock_keys.add(lock_key_of(inputs))

    def _mark_log(self, marks: Marks, log: str, ended_at: float, detail: str) -> None:
        limit = self._rules.logs_older_than
        if limit is not None and self._now - ended_at > limit:
            marks.want_no_more([log], "an old log", detail)
        else:
            marks.keep([log], LOG, detail)

    def _mark_natives(self, marks: Marks) -> None:
        """Natives stay with the wheels that are compiled against them, and the images that hold them."""
        for name, body in self._read(NATIVES, "records of natives"):
            try:
                record = NativeRecord.from_document(json.loads(body))
            except (ValueError, KeyError, TypeError):
                marks.keep(_DIGEST.findall(body.decode(errors="replace")), NAMED, name)
                continue
            inputs, of = record.inputs, f"{record.inputs.name} {record.inputs.version}"
            used = [*inputs.sources.values(), *package_digests(inputs.packages)]
            marks.attach(record.digest, name)
            # An image that is asked for again with one begins with the artifact, not with its layer.
            in_image = (package_of(inputs.name), inputs.version) in self._packages
            named = marks.kept(record.digest) is not None or record.key in self._keys or in_image
            if named or self._now - record.published_at <= self._rules.grace:
                marks.keep([record.digest, *used], INPUT, of)
                self._mark_log(marks, record.log, record.published_at, of)
                self._images.add(inputs.toolchain)
            else:
                marks.want_no_more([record.digest, *used], "a native that no kept wheel was made with", of)
                marks.want_no_more([record.log], "the log of a native that is no more", of)

    def _mark_toolchains(self, marks: Marks) -> None:
        with self._database.reading() as session:
            current = {row.name: row.image for row in session.scalars(select(ToolchainRow))}
        for name, body in self._read(TOOLCHAINS, "toolchains"):
            fields = _fields(body)
            toolchain, image = str(fields.get("name", "")), str(fields.get("image", ""))
            digests = _DIGEST.findall(body.decode(errors="replace"))
            if image in self._images or current.get(toolchain, image) == image:
                marks.keep(digests, TOOLCHAIN, toolchain)
                self._images.add(image)
            else:
                marks.want_no_more(digests, "a toolchain that nothing was made with", toolchain)
                marks.attach(image, name)

    def _mark_packages(self, marks: Marks) -> None:
        """Packages of recipes, and images that have them, stay as long as the toolchain below them."""
        for place in (PACKAGE_LOCKS, PACKAGE_IMAGES):
            for name, body in self._read(place, "packages of recipes"):
                toolchain = str(_fields(body).get("toolchain", ""))
                digests = _DIGEST.findall(body.decode(errors="replace"))
                for digest in digests:
                    marks.attach(digest, deb_index_name(Digest.parse(digest)))
                if toolchain in self._images:
                    marks.keep(digests, TOOLCHAIN, name)
                else:
                    marks.want_no_more(digests, "packages over a toolchain that nothing was made with", name)
                    marks.attach(toolchain, name)

    def _mark_layers(self, marks: Marks) -> None:
        """Layers stay with the images that have them; each can be filled again from its wheel."""
        contents: dict[str, list[str]] = {}
        names = []
        for name in self._store.list_documents(_LAYERS):
            if _OF_A_LAYER.match(name):
                contents.setdefault(_stem(name), []).append(name)
            else:
                names.append(name)
        for name, body in read_documents(self._store, names, self._progress, "layers"):
            fields = _fields(body)
            if "digest" not in fields or "diff_id" not in fields:
                continue
            digest, diff_id = str(fields["digest"]), str(fields["diff_id"])
            marks.want_no_more([digest], "a layer that no image has", str(fields.get("title", "")))
            packages = name.removesuffix(".json") + "-packages.json"
            for document in (name, packages, *contents.get(diff_id.removeprefix("sha256:"), ())):
                marks.attach(digest, document)

    def _mark_rows(self, marks: Marks) -> None:
        """What the database alone knows: logs, compiler caches, build environments, upstream's files."""
        with self._database.reading() as session:
            jobs = select(JobRow.id, JobRow.log, JobRow.ended_at).where(JobRow.log != "")
            for job in rows_by(session, jobs, JobRow.id):
                self._mark_log(marks, job.log, job.ended_at, f"job {job.id}")
            caches = rows_by(
                session, select(CompilerCacheRow), CompilerCacheRow.project, CompilerCacheRow.toolchain
            )
            self._mark_compiler_caches(marks, list(caches))
            for lock in rows_by(session, select(BuildLockRow), BuildLockRow.key):
                self._mark_build_lock(marks, lock)
            for page in rows_by(session, select(UpstreamPageRow), UpstreamPageRow.project):
                marks.keep([page.page], UPSTREAM, f"the page of {page.project}")
            for file in rows_by(session, select(UpstreamFileRow), UpstreamFileRow.digest):
                digests = [file.digest, file.metadata_digest]
                if self.upstream_goes(file.used_at, file.fetched_at):
                    marks.want_no_more(digests, "upstream's, unused", file.filename)
                else:
                    marks.keep(digests, UPSTREAM, file.filename)

    def _mark_compiler_caches(self, marks: Marks, caches: list[CompilerCacheRow]) -> None:
        """Those that were used last stay, as far as the rules give them room; the others cost time."""
        limit, size = self._rules.keep_compiler_caches, 0
        for cache in sorted(caches, key=lambda cache: (-cache.saved_at, cache.project, cache.toolchain)):
            size += cache.size
            detail = f"{cache.project}, {cache.toolchain}"
            if limit is None or size <= limit:
                marks.keep([cache.digest], COMPILER_CACHE, detail)
            else:
                marks.want_no_more([cache.digest], "a compiler cache beyond their room", detail)

    def upstream_goes(self, used_at: float, fetched_at: float) -> bool:
        """Whether a kept file of upstream's may go: it can be fetched again."""
        limit = self._rules.unused_for
        return limit is not None and self._now - max(used_at, fetched_at) > max(limit, self._rules.grace)

    def lock_goes(self, key: str, made_at: float) -> bool:
        """Whether a locked build environment may go: no kept wheel was made in it."""
        return key not in self._lock_keys and self._now - made_at > self._rules.recent

    def _mark_build_lock(self, marks: Marks, lock: BuildLockRow) -> None:
        stream = self._store.open_blob(Digest.parse(lock.lock))
        named: list[str] = []
        if stream is not None:
            with stream:
                named = _DIGEST.findall(stream.read().decode(errors="replace"))
        if self.lock_goes(lock.key, lock.made_at):
            marks.want_no_more([lock.lock, *named], "a build environment that no kept wheel was made in")
        else:
            marks.keep([lock.lock, *named], BUILD_LOCK)

    def _mark_others(self, marks: Marks) -> None:
        """Whatever else lies in the store: what it names stays."""
        names = (name for name in self._store.list_documents("") if not name.startswith(_KNOWN))
        for name, body in read_documents(self._store, names, self._progress, "other documents"):
            marks.keep(_DIGEST.findall(body.decode(errors="replace")), NAMED, name)

    def _attach_notes(self, marks: Marks) -> None:
        """What is noted beside a wheel's record keeps no wheel, and goes with it."""
        for prefix in _NOTES:
            for name, body in self._read(prefix, "notes on wheels"):
                if digest := str(_fields(body).get("digest", "")):
                    marks.attach(digest, name)

    def _attach_receipts(self, marks: Marks) -> None:
        """What is in an image goes with its manifest; it keeps nothing."""
        for name in self._store.list_documents(RECEIPTS):
            marks.attach(name.removeprefix(RECEIPTS).partition("/")[0], name)

    def _read(self, prefix: str, step: str) -> Iterator[tuple[str, bytes]]:
        return read_documents(self._store, self._store.list_documents(prefix), self._progress, step)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0]
