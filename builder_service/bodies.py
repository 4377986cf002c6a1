"""What clients send: the bodies of requests, checked at the door."""

from __future__ import annotations

from typing import Annotated, Literal

from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from builder_service.services import Services
from wheelyard.build_request import BuildRequest
from wheelyard.git_address import check_git_hosts
from wheelyard.limits import NOTHING_ASKED, AskedLimits, check_ceiling
from wheelyard.requirements import normalise_requirements
from wheelyard.toolchains import get_toolchain

MAX_REQUIREMENTS = 2000
MAX_CONSTRAINTS = 5000
Requirement = Annotated[str, StringConstraints(max_length=1000)]
ProjectName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$")]
VariantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
DigestText = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class AskBody(BaseModel):
    """What every request may say beside what it asks for; no part of the work, nor of its key."""

    priority: Literal["interactive", "batch"] = Field(
        "interactive",
        description="Interactive work goes before batch work; a joined job takes the sooner one.",
    )
    client: str = Field(
        "",
        max_length=200,
        description="Who asks, such as user@host: clients take turns. Empty means the sender's address.",
    )
    webhook: str = Field(
        "",
        max_length=2000,
        description="Address that is told of the job's end, as Standard Webhooks says.",
    )


class ToolchainBody(AskBody):
    """The making of a toolchain; it needs to say nothing."""

    model_config = ConfigDict(extra="forbid")


class BuildBody(AskBody):
    """Wheels of a set of requirements and of all that they need."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"requirements": ["numpy"]},
                {
                    "requirements": ["opencv-python-headless>=4", "numpy>=2"],
                    "toolchain": "debian12-cp311",
                    "channel": "default",
                    "priority": "batch",
                    "client": "nightly@ci",
                },
            ]
        },
    )
    requirements: list[Requirement] = Field(
        min_length=1,
        max_length=MAX_REQUIREMENTS,
        description="PEP 508, without paths and pip options; the only addresses are commits of git "
        "repositories (`demo @ git+https://host/demo.git@` and the whole hash), where it takes them.",
    )
    toolchain: str = Field("", max_length=63, description="Its name; empty means the service's default one.")
    channel: str = Field("default", max_length=63, description="Index in which the wheels are shown.")
    constraints: list[Requirement] = Field(
        default_factory=list,
        max_length=MAX_CONSTRAINTS,
        description="Versions that hold for whatever the requirements turn out to need: `numpy==2.4.6`.",
    )
    build_constraints: list[Requirement] = Field(
        default_factory=list,
        max_length=MAX_CONSTRAINTS,
        description="The same for what things are built with: `cython==3.1.0`.",
    )
    build_deps: Literal["wheels", "source"] = Field(
        "wheels",
        description="`source` builds the build requirements, too, to the root; `wheels` takes upstream's.",
    )
    variants: dict[ProjectName, VariantName] = Field(
        {}, max_length=MAX_REQUIREMENTS, description="Which variant of its recipe a project is built in."
    )
    hashes: dict[ProjectName, list[DigestText]] = Field(
        {},
        max_length=MAX_CONSTRAINTS,
        description="Of a lock: the digests that the sdist of each project may have.",
    )
    refresh: bool = Field(False, description="Resolve anew, even where an equal request was answered lately.")
    limits: AskedLimits = Field(
        NOTHING_ASKED,
        description="Of each build, over those of recipe and toolchain; those of who asked first hold.",
    )

    def request(self, services: Services) -> BuildRequest:
        """The request that the body stands for.

        :raises InputError: a requirement, the channel, the toolchain or a limit can't be taken; the message
            says why.
        :raises NotFound: there is no such channel or toolchain.
        """
        settings = services.settings
        requirements = normalise_requirements(self.requirements, git=True) if self.requirements else ()
        check_git_hosts(requirements, settings.git_host_patterns)
        return BuildRequest(
            requirements=requirements,
            toolchain=get_toolchain(self.toolchain or settings.toolchain, settings.toolchains_dir).name,
            channel=services.channels.get(self.channel).name,
            constraints=normalise_requirements(self.constraints) if self.constraints else (),
            build_constraints=normalise_requirements(self.build_constraints)
            if self.build_constraints
            else (),
            build_deps=self.build_deps,
            variants={canonicalize_name(name): variant for name, variant in sorted(self.variants.items())},
            hashes={
                canonicalize_name(name): tuple(sorted(digests))
                for name, digests in sorted(self.hashes.items())
            },
            refresh=self.refresh,
            limits=check_ceiling(self.limits, settings),
        )
