"""The address that says why a wheel was built: its inputs, and what changed since the build before it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from packaging.utils import canonicalize_name
from pydantic import BaseModel, Field

from builder_service.problems import responses
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity
from wheelyard.build_reason import BuildReason, build_before, newest_build
from wheelyard.catalogue import check_channel
from wheelyard.errors import InputError, NotFound
from wheelyard.identity import Identity
from wheelyard.wheel_record import WheelRecord, find_record

router = APIRouter(prefix="/v1/wheels", tags=["wheels"])
_MOST_NAMED = 12
ProjectName = Annotated[
    str,
    Path(
        max_length=200,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        description="A project's name in any spelling.",
        examples=["numpy"],
    ),
]
VersionText = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$",
        description="A version (PEP 440).",
        examples=["2.4.6"],
    ),
]
KeyStart = Annotated[
    str,
    Query(
        pattern=r"^([0-9a-f]{8,64})?$",
        description="Build key to compare with, or its first digits; empty for the build before.",
    ),
]


class ComparedBuild(BaseModel):
    """One build. Its inputs are the very ones that its key covers."""

    build_key: str
    project: str
    version: str
    filename: str
    digest: str
    toolchain: str
    published_at: float = Field(description="Epoch seconds.")
    inputs: dict[str, Any]


class ChangeDocument(BaseModel):
    """One input that differs."""

    field: str = Field(description="Of the inputs: `build_wheels`, `toolchain`, `environment` …")
    name: str = Field(description="Which of its entries: a project, a variable; empty for one value.")
    before: str = Field(description="Empty where it was not there.")
    after: str = Field(description="Empty where it is not there any more.")
    text: str = Field(description="The same in words.")


class ReasonDocument(BaseModel):
    """Why a wheel was built."""

    text: str = Field(description="In one sentence.")
    build: ComparedBuild
    before: ComparedBuild | None = Field(
        description="What it is compared with; null where there is no earlier build."
    )
    changes: list[ChangeDocument] = Field(description="What differs, what matters most first.")


@router.get(
    "/{project}/{version}/why",
    operation_id="explain_wheel",
    summary="Why a wheel was built",
    responses=responses(403, 404, 422),
)
def why(
    services: Opened,
    identity: CurrentIdentity,
    project: ProjectName,
    version: VersionText,
    channel: Annotated[str, Query(max_length=63, description="A channel's name.")] = "default",
    toolchain: Annotated[str, Query(max_length=63, description="Its name; empty for any.")] = "",
    against: KeyStart = "",
) -> ReasonDocument:
    """The newest build of a version, beside the earlier build of the project that is nearest to it.

    That is one of the same toolchain and variant: of the same version, else of the version before.
    """
    identity.check_channel(channel)
    name = canonicalize_name(project)
    records = _records(services, identity, name, services.channels.get(check_channel(channel)).name)
    record = newest_build(records, version, toolchain)
    if record is None:
        raise _nothing(services, records, name, version, channel, toolchain)
    before = (
        _named(_records(services, identity, name, None), name, against)
        if against
        else build_before(record, records)
    )
    return _document(BuildReason.of(record, before))


def _records(services: Services, identity: Identity, project: str, channel: str | None) -> list[WheelRecord]:
    """The builds that a channel shows of a project, or every channel that the token is for."""
    files = services.catalogue.files(channel, project)
    keys = sorted({file.build_key for file in files if file.build_key and identity.may_use(file.channel)})
    found = (find_record(services.store, key) for key in keys)
    return [record for record in found if record is not None]


def _named(records: list[WheelRecord], project: str, against: str) -> WheelRecord:
    found = [record for record in records if record.key.startswith(against)]
    if not found:
        raise NotFound(
            f"no build of {project} has the key {against}",
            expected=_listed([record.key[:12] for record in records]),
            do="see `wheelyard cache show` for the keys of a project's wheels",
        )
    if len(found) > 1:
        raise InputError(
            f"the key {against} is that of {len(found)} builds of {project}", do="give more of its digits"
        )
    return found[0]


def _nothing(
    services: Services, records: list[WheelRecord], project: str, version: str, channel: str, toolchain: str
) -> NotFound:
    """The error that says what there is instead."""
    there = sorted({f"{one.inputs.version} ({one.toolchain})" for one in records})
    files = services.catalogue.files(channel, project)
    uploaded = any(file.version == version and not file.build_key for file in files)
    under = f" for {toolchain}" if toolchain else ""
    command = f"wheelyard build {project}=={version}" + (f" --toolchain {toolchain}" if toolchain else "")
    return NotFound(
        f"{project} {version} was uploaded to the channel {channel}, and not built here"
        if uploaded
        else f"the channel {channel} has no build of {project} {version}{under}",
        expected=_listed(there),
        found="" if there else f"no build of {project} at all",
        do="" if uploaded else f"build it: `{command}`",
        project=project,
        versions=sorted({one.inputs.version for one in records}),
    )


def _listed(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return "one of " + ", ".join(names[-_MOST_NAMED:]) + more


def _document(reason: BuildReason) -> ReasonDocument:
    return ReasonDocument(
        text=reason.text,
        build=_compared(reason.record),
        before=None if reason.before is None else _compared(reason.before),
        changes=[ChangeDocument(**change.to_document()) for change in reason.changes],
    )


def _compared(record: WheelRecord) -> ComparedBuild:
    return ComparedBuild(
        build_key=record.key,
        project=record.inputs.project,
        version=record.inputs.version,
        filename=record.filename,
        digest=str(record.digest),
        toolchain=record.toolchain,
        published_at=record.published_at,
        inputs=record.inputs.to_document(),
    )
