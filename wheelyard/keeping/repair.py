"""What is done about damaged or lost blobs: wheels are built again from their records, the very same."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.build_limits import limits_of_build
from wheelyard.digests import Digest
from wheelyard.errors import InputError, WheelyardError
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Job
from wheelyard.keeping.document_reader import read_documents
from wheelyard.keeping.references import Reference, Role
from wheelyard.keeping.verification import Fault
from wheelyard.requests import Caller, Requests
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.wheel_record import WheelRecord, find_record

ACTOR = "cache verify"
_WHEELS = "records/wheels/"


@dataclass(kw_only=True)
class Repaired:
    """What was done.

    :param jobs: that build lost wheels again, by build key.
    :param waiting: build keys of wheels whose test needs others that are lost, too.
    :param done: what is whole again already, or goes by itself, for people.
    :param left: what somebody has to do, for people.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def _left_to_do(reference: Reference) -> str:
    """What somebody has to do about a blob that nothing here can make again."""
    name, role = reference.name, reference.role
    if role is Role.TOOLCHAIN:
        return f"`wheelyard toolchain build {name}`, or restore {reference.digest}"
    if role is Role.UPLOAD:
        return "upload the same file again"
    if role is Role.ATTACHED:
        return f"ask for the image again, which attaches it, or restore {reference.digest}"
    if role is Role.PATCH:
        # A plan brings what the recipe has by now into the store.
        project, version, *_ = name.split("-")
        pin = f"{canonicalize_name(project)}=={version}"
        return f"a patch of its recipe; `wheelyard plan {pin}` brings it back, or restore {reference.digest}"
    return f"restore {reference.digest}, the {role}, from a backup"


class Repair:
    """Mends what a verification found. Safe to repeat: a build that is queued already is joined."""

    def __init__(self, store: Store, ledger: Ledger, requests: Requests, settings: Settings) -> None:
        self._store = store
        self._ledger = ledger
        self._requests = requests
        self._settings = settings

    def mend(self, faults: Iterable[Fault]) -> Repaired:
        """Remove damaged bytes, so that whole ones can take their place, and see to these.

        :raises StoreUnavailable: the store does not answer.
        """
        found, keys = Repaired(), dict[str, str]()
        wanted = list(faults)
        for fault in wanted:
            if not fault.is_lost:
                self._store.delete_blob(fault.digest)
            if not fault.names:
                found.done.append(f"{fault.digest}: removed; nothing names it")
        for reference in [name for fault in wanted for name in fault.names]:
            self._mend(reference, found, keys)
        self._order(keys, found)
        return found

    def _mend(self, reference: Reference, found: Repaired, keys: dict[str, str]) -> None:
        name, role = reference.name, reference.role
        if role is Role.WHEEL:
            keys[reference.key] = name
        elif role is Role.METADATA:
            record = find_record(self._store, reference.key)
            if record is None or not self._take_metadata(record.digest, reference.digest):
                keys[reference.key] = name
            else:
                found.done.append(f"{name}: its metadata is read out of the wheel again")
        elif role is Role.UPLOADED_METADATA:
            if self._take_metadata(Digest.parse(reference.key), reference.digest):
                found.done.append(f"{name}: its metadata is read out of the wheel again")
            else:
                found.left.append(f"{name}: upload the same file again")
        elif role is Role.INPUT:
            found.done.append(f"{name}: it is fetched again, by its digest, where it is needed")
        elif role is Role.IMAGE:
            # Its layers are filled again from their wheels then, and it gets the same digest.
            self._store.delete_document(reference.key)
            found.left.append(f"{name}: ask for the image again")
        else:
            found.left.append(f"{name}: {_left_to_do(reference)}")

    def _take_metadata(self, wheel: Digest, metadata: Digest) -> bool:
        """Read a wheel's METADATA out of it; False where it is not there, or not whole."""
        with tempfile.TemporaryDirectory(prefix="wheelyard-repair-") as folder:
            path = Path(folder) / "wheel.whl"
            try:
                if not self._store.fetch_blob(wheel, path):
                    return False
                with zipfile.ZipFile(path) as archive:
                    for name in archive.namelist():
                        if name.endswith(".dist-info/METADATA") and Digest.of(archive.read(name)) == metadata:
                            self._store.put_blob(archive.read(name), metadata)
                            return True
            except (WheelyardError, zipfile.BadZipFile):
                return False
        return False

    def _order(self, keys: dict[str, str], found: Repaired) -> None:
        """Queue the builds of lost wheels, but for those whose test needs one that is lost."""
        if not keys:
            return
        records = _Records(self._store)
        for key, name in sorted(keys.items(), key=lambda pair: pair[1]):
            record = records.by_key.get(key)
            if record is None:
                found.left.append(f"{name}: its record is lost, too; ask for a build of it")
                continue
            last = self._ledger.last_success(key, 0.0)
            runtime = last.spec["runtime"] if last is not None else records.runtime_of(record)
            if set(runtime) & set(keys) - {key}:
                found.waiting.append(key)
                continue
            try:
                found.jobs[key] = self._submit(record, [one for one in runtime if one in records.by_key])
            except InputError as error:
                # Its recipe or toolchain says something else by now, or is gone.
                found.left.append(f"{name}: {error.failed}")

    def _submit(self, record: WheelRecord, runtime: list[str]) -> Job:
        settings, inputs = self._settings, record.inputs
        limits = limits_of_build(settings, record.toolchain, inputs)
        spec = {
            "inputs": inputs.to_document(),
            "image": inputs.toolchain,
            "runtime": runtime,
            "limits": limits.to_document(),
            "show": False,
        }
        return self._requests.wheel(
            record.key, spec=spec, title=f"{inputs.project} {inputs.version}", subject=inputs.project,
            toolchain=record.toolchain, channel=record.channel, caller=Caller(client=ACTOR, actor=ACTOR),
        ).job  # fmt: skip


class _Records:
    """The records of all wheels, to find what a wheel needs at run time where no job says it."""

    def __init__(self, store: Store) -> None:
        self.by_key: dict[str, WheelRecord] = {}
        self._by_project: dict[tuple[str, str], list[WheelRecord]] = {}
        for _name, body in read_documents(store, store.list_documents(_WHEELS)):
            try:
                record = WheelRecord.from_document(json.loads(body))
            except (ValueError, KeyError, TypeError, WheelyardError):
                continue
            self.by_key[record.key] = record
            place = (record.inputs.project, record.inputs.toolchain)
            self._by_project.setdefault(place, []).append(record)

    def runtime_of(self, record: WheelRecord) -> list[str]:
        """Build keys of wheels that a wheel requires, and that those do, as far as there are any."""
        found: dict[str, str] = {}
        waiting = [record]
        while waiting:
            one = waiting.pop()
            for requirement in _requirements(one):
                project = canonicalize_name(requirement.name)
                if project in found or project == record.inputs.project:
                    continue
                fitting = [
                    other
                    for other in self._by_project.get((project, record.inputs.toolchain), ())
                    if requirement.specifier.contains(other.inputs.version, prereleases=True)
                ]
                if fitting:
                    newest = max(fitting, key=lambda other: other.published_at)
                    found[project] = newest.key
                    waiting.append(newest)
        return sorted(found.values())


def _requirements(record: WheelRecord) -> list[Requirement]:
    """What a wheel requires for the toolchain's Python, without extras."""
    digits = record.inputs.python_tag.removeprefix("cp")
    version = f"{digits[:1]}.{digits[1:]}"
    found = []
    for text in record.requires_dist:
        try:
            requirement = Requirement(text)
            environment = {"extra": "", "python_version": version, "python_full_version": f"{version}.0"}
            if requirement.marker is None or requirement.marker.evaluate(environment):
                found.append(requirement)
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue
    return found
