"""What is sent to and got from the addresses of channels, projects and yanks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wheelyard.channels import Channel, UpstreamKinds, UpstreamPolicy
from wheelyard.index_address import index_url
from wheelyard.projects import Project, Status

_MOST_PROJECTS = 10_000
_LONGEST_REASON = 1000
_MIN_AGE = "Seconds for which an upstream file must have been out before it is shown."
_PROJECTS = "Projects of the policy `listed`, in any spelling."
ProjectName = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
Reason = Annotated[str, Field(max_length=_LONGEST_REASON, description="For people.")]


class ChannelBody(BaseModel):
    """A channel's settings."""

    model_config = ConfigDict(extra="forbid")
    base: str = Field("", max_length=63, description="Channel whose files it shows behind its own.")
    upstream: UpstreamPolicy = Field(
        UpstreamPolicy.OFF, description="Of which projects it takes upstream's files."
    )
    kinds: UpstreamKinds = Field(UpstreamKinds.BOTH, description="Which of upstream's files it takes.")
    projects: list[ProjectName] = Field([], max_length=_MOST_PROJECTS, description=_PROJECTS)
    min_age: int = Field(0, ge=0, description=_MIN_AGE)

    def channel(self, name: str) -> Channel:
        """The channel of that name.

        :raises InputError: a name is none.
        """
        return Channel(
            name=name,
            base=self.base,
            upstream=self.upstream,
            kinds=self.kinds,
            projects=tuple(self.projects),
            min_age=self.min_age,
        )


class ChannelChange(BaseModel):
    """Settings that a channel gets; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")
    base: str | None = Field(None, max_length=63, description="Empty takes the base away.")
    upstream: UpstreamPolicy | None = None
    kinds: UpstreamKinds | None = None
    projects: list[ProjectName] | None = Field(None, max_length=_MOST_PROJECTS, description=_PROJECTS)
    min_age: int | None = Field(None, ge=0, description=_MIN_AGE)

    def apply(self, channel: Channel) -> Channel:
        """The channel with these settings.

        :raises InputError: a name is none.
        """
        body = {**ChannelBody.model_validate(_settings(channel)).model_dump()}
        given = self.model_dump(exclude_none=True)
        return ChannelBody.model_validate({**body, **given}).channel(channel.name)


class ChannelDocument(BaseModel):
    """A channel, its settings, and where it is served."""

    name: str
    base: str
    upstream: UpstreamPolicy
    kinds: UpstreamKinds
    projects: list[str]
    min_age: int = Field(description=_MIN_AGE)
    made_at: float = Field(description="Epoch seconds.")
    url: str = Field(description="Its index for pip and uv, below the service's address.")


class ChannelList(BaseModel):
    """Channels by name."""

    channels: list[ChannelDocument]


class YankBody(BaseModel):
    """Why a file is yanked."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason = ""


class ProjectChange(BaseModel):
    """What is said of a project; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")
    owned: bool | None = Field(None, description="Whether the name is the team's.")
    status: Status | None = Field(None, description="PEP 792.")
    reason: Reason = ""


class ProjectDocument(BaseModel):
    """What the team says of a project."""

    name: str
    owned: bool = Field(description="Then nothing of it is ever taken from upstream.")
    decided: bool = Field(description="Whether somebody said so; else it is owned where it has uploads.")
    status: Status = Field(description="PEP 792.")
    reason: str


class ProjectList(BaseModel):
    """Projects of which something was said, by name."""

    projects: list[ProjectDocument]


def channel_document(channel: Channel) -> ChannelDocument:
    """A channel as a document."""
    url = index_url("", channel.name)
    return ChannelDocument(name=channel.name, made_at=channel.made_at, url=url, **_settings(channel))


def project_document(project: Project) -> ProjectDocument:
    """A project as a document."""
    return ProjectDocument(
        name=project.name,
        owned=project.owned,
        decided=project.decided,
        status=project.status,
        reason=project.reason,
    )


def _settings(channel: Channel) -> dict[str, object]:
    return {
        "base": channel.base, "upstream": channel.upstream, "kinds": channel.kinds,
        "projects": list(channel.projects), "min_age": channel.min_age,
    }  # fmt: skip
