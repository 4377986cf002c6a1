"""What a verification is asked for, and which published wheel that is."""

from __future__ import annotations

from typing import Annotated

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import ConfigDict, Field, StringConstraints

from builder_service.bodies import AskBody, ProjectName
from builder_service.services import Services
from wheelyard.errors import InputError, NotFound
from wheelyard.toolchains import get_toolchain
from wheelyard.wheel_record import WheelRecord, find_record

VersionText = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


class VerificationBody(AskBody):
    """A published wheel that is to be built again and compared."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"project": "numpy", "version": "2.4.6", "channel": "default"}]},
    )
    project: ProjectName = Field(description="Its name in any spelling.")
    version: VersionText = Field(description="Its version (PEP 440).")
    toolchain: str = Field(
        "",
        max_length=63,
        description="The toolchain that the wheel was built with; empty prefers the service's default one.",
    )
    channel: str = Field("default", max_length=63, description="Index that shows the wheel.")

    def record(self, services: Services) -> WheelRecord:
        """The record of the wheel that the body stands for: of several builds, the newest.

        :raises InputError: the version is none.
        :raises NotFound: there is no such channel or toolchain, or the channel has no such wheel of ours.
        """
        channel = services.channels.get(self.channel).name
        settings = services.settings
        default = settings.toolchain
        wanted = get_toolchain(self.toolchain, settings.toolchains_dir).name if self.toolchain else ""
        records = [
            record
            for record in _records(services, channel, self.project, _version(self.version))
            if wanted in ("", record.toolchain)
        ]
        if not records:
            with_it = f" with the toolchain {wanted}" if wanted else ""
            raise NotFound(
                f"the channel {channel} has no wheel of {self.project} {self.version} that was built "
                f"here{with_it}",
                do=f"build it first: `wheelyard build {self.project}=={self.version}`; `wheelyard cache ls "
                f"{self.project}` shows what is there",
            )
        return max(records, key=lambda record: (record.toolchain == default, record.published_at, record.key))


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise InputError(
            f"{text[:80]!r} is no version", expected="one such as 2.4.6 (PEP 440)", do="give the whole one"
        ) from error


def _records(services: Services, channel: str, project: str, version: Version) -> list[WheelRecord]:
    keys = {
        file.build_key
        for file in services.catalogue.files(channel, canonicalize_name(project))
        if file.build_key and Version(file.version) == version
    }
    found = (find_record(services.store, key) for key in sorted(keys))
    return [record for record in found if record is not None]
