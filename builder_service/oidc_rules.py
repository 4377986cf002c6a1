"""The rules of the OIDC exchange: whose ID tokens are taken, for what, and which rights that gives."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from builder_service.issuer_address import is_safe_address
from wheelyard.access_token import Scope, held_scopes
from wheelyard.catalogue import check_channel
from wheelyard.errors import InputError

Claims = Mapping[str, Any]
_CLOSED = ConfigDict(extra="forbid", frozen=True)


class _Rule(BaseModel):
    """What every rule gives to those who fit it.

    :param scopes: rights of the access token.
    :param channels: that it is for; empty means all.
    :param ref: pattern of the ref, as the issuer writes it.
    :param environment: pattern of the deployment environment's name.
    """

    whose: ClassVar[str]
    """The claim that says whose the job is."""

    model_config = _CLOSED
    name: str = Field("", max_length=100)
    scopes: tuple[Scope, ...] = Field(min_length=1)
    channels: tuple[str, ...] = ()
    ref: str = ""
    environment: str = ""

    @field_validator("channels")
    @classmethod
    def _are_channels(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _as_fault(check_channel, name)
        return names

    @model_validator(mode="after")
    def _admin_has_no_channels(self) -> _Rule:
        if Scope.ADMIN in self.scopes and self.channels:
            raise ValueError("the scope admin can't be for some channels only")
        return self

    def gives(self, wanted: frozenset[Scope]) -> bool:
        """Whether it gives every one of those rights."""
        return wanted <= held_scopes(self.scopes)

    def subject(self, claims: Claims) -> str:
        """Who shows an ID token, in few words."""
        return f"{claims.get(self.whose, '')}@{claims.get('ref', '')}"

    def faults(self, claims: Claims) -> list[str]:
        """What of the rule an ID token's claims do not fit."""
        pairs = (("ref", self.ref), ("environment", self.environment))
        return [name for name, pattern in pairs if pattern and not _fits(claims.get(name), pattern)]


class GitHubRule(_Rule):
    """A rule for GitHub Actions, whose `ref` is a whole one: `refs/heads/main`.

    :param repository: OWNER/NAME; the name may be a pattern, the owner may not.
    :param repository_owner_id: number of the owner, which outlives a change of the owner's name.
    :param branch: pattern of a branch's name.
    :param tag: pattern of a tag's name.
    :param workflow: file name of the workflow, in the repository itself.
    """

    whose = "repository"

    repository: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._*?-]+$")
    repository_owner_id: str = Field("", pattern=r"^[0-9]*$")
    branch: str = ""
    tag: str = ""
    workflow: str = ""

    def faults(self, claims: Claims) -> list[str]:
        """See the base."""
        found = super().faults(claims)
        repository, ref = str(claims.get("repository", "")), str(claims.get("ref", ""))
        # GitHub's names are the same in upper and lower case.
        if not fnmatchcase(repository.lower(), self.repository.lower()):
            found.append("repository")
        if self.repository_owner_id and claims.get("repository_owner_id") != self.repository_owner_id:
            found.append("repository_owner_id")
        if self.branch and not fnmatchcase(ref, f"refs/heads/{self.branch}"):
            found.append("branch")
        if self.tag and not fnmatchcase(ref, f"refs/tags/{self.tag}"):
            found.append("tag")
        place = f"{repository}/.github/workflows/{self.workflow}@".lower()
        if self.workflow and not str(claims.get("job_workflow_ref", "")).lower().startswith(place):
            found.append("workflow")
        return found


class GitLabRule(_Rule):
    """A rule for GitLab CI, whose `ref` is a branch's or a tag's name.

    :param project_path: GROUP/…/NAME; the parts after the first may be patterns.
    :param ref_type: branch or tag.
    :param ref_protected: whether the ref must be a protected one, or must not.
    """

    whose = "project_path"

    project_path: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9._*?/-]+$")
    ref_type: Literal["", "branch", "tag"] = ""
    ref_protected: bool | None = None

    def faults(self, claims: Claims) -> list[str]:
        """See the base."""
        found = super().faults(claims)
        if not _fits(str(claims.get("project_path", "")).lower(), self.project_path.lower()):
            found.append("project_path")
        if self.ref_type and claims.get("ref_type") != self.ref_type:
            found.append("ref_type")
        # GitLab says it as a string.
        protected = str(claims.get("ref_protected", "")).lower()
        if self.ref_protected is not None and protected != str(self.ref_protected).lower():
            found.append("ref_protected")
        return found


class _Issuer(BaseModel):
    model_config = _CLOSED
    issuer: str
    audience: str = Field(min_length=1)

    @field_validator("issuer")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not is_safe_address(value):
            raise ValueError("an issuer is an https:// address")
        return value


class GitHubIssuer(_Issuer):
    """GitHub, or a GitHub Enterprise server."""

    kind: Literal["github"]
    rules: tuple[GitHubRule, ...] = Field(min_length=1)


class GitLabIssuer(_Issuer):
    """A GitLab instance."""

    kind: Literal["gitlab"]
    rules: tuple[GitLabRule, ...] = Field(min_length=1)


Issuer = Annotated[GitHubIssuer | GitLabIssuer, Field(discriminator="kind")]


class OidcRules(BaseModel):
    """Every issuer whose ID tokens are taken, by its address."""

    model_config = _CLOSED
    issuers: tuple[Issuer, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> OidcRules:
        named = [one.issuer for one in self.issuers]
        if len(set(named)) != len(named):
            raise ValueError("an issuer stands there twice")
        return self

    def issuer(self, address: str) -> GitHubIssuer | GitLabIssuer | None:
        """The issuer of exactly that address, or None."""
        return next((one for one in self.issuers if one.issuer == address), None)


def read_oidc_rules(setting: str) -> OidcRules:
    """The rules that the setting names.

    :param setting: path of a TOML file, or a JSON document; empty for no rules.
    :raises InputError: they can't be read; the message says where.
    """
    if not setting.strip():
        return OidcRules()
    try:
        if setting.lstrip().startswith("{"):
            return OidcRules.model_validate(json.loads(setting))
        return OidcRules.model_validate(tomllib.loads(Path(setting).read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise _no_rules(f"{at}: {first['msg']}" if at else first["msg"]) from error
    except (OSError, ValueError) as error:
        raise _no_rules(f"{type(error).__name__}: {error}") from error


def _no_rules(found: str) -> InputError:
    return InputError(
        "WHEELYARD_OIDC_RULES does not lead to rules that can be used",
        expected="the path of a TOML file, or a JSON document, with issuers and their rules",
        found=found,
        do="mend it; docs/how-to/tokens.md has examples",
    )


def _as_fault(check: Any, value: str) -> None:
    try:
        check(value)
    except InputError as error:
        raise ValueError(error.failed) from error


def _fits(value: object, pattern: str) -> bool:
    """Whether a claim is a text of that pattern; `*` stands for any text, with slashes too."""
    return isinstance(value, str) and fnmatchcase(value, pattern)
