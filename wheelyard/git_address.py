"""Git sources: where one commit of a project is, as a requirement names it (PEP 508 and 440)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from wheelyard.digests import key_of
from wheelyard.errors import InputError
from wheelyard.store.loopback import is_loopback

_SCHEME = "git+"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATH = re.compile(r"/[A-Za-z0-9._~+/-]{1,500}")
_SUBDIRECTORY = re.compile(r"[A-Za-z0-9._+-][A-Za-z0-9._+/-]{0,500}")
_FORM = "NAME @ git+https://HOST/PATH.git@COMMIT, perhaps with #subdirectory=FOLDER"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class GitAddress:
    """One commit of one repository.

    :param url: of the repository, https, or http on loopback.
    :param commit: the whole of its hash, 40 hexadecimal digits.
    :param subdirectory: folder of the project in it; empty means its top.
    """

    url: str
    commit: str
    subdirectory: str = ""

    @property
    def host(self) -> str:
        """Host, and port where one is named."""
        return urlsplit(self.url).netloc.lower()

    @property
    def text(self) -> str:
        """The address as a requirement writes it, in one spelling."""
        folder = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        return f"{_SCHEME}{self.url}@{self.commit}{folder}"

    def key(self, *, image: str, recipe: Mapping[str, Any]) -> str:
        """What decides the sdist that is made of it; the first one holds.

        :param image: digest of the toolchain's compile image.
        :param recipe: what the project's recipe says of its build backend.
        """
        return key_of(
            {
                "kind": "git-sdist",
                "url": self.url,
                "commit": self.commit,
                "subdirectory": self.subdirectory,
                "image": image,
                "recipe": dict(recipe),
            }
        )


def git_address(requirement: Requirement, origin: str = "") -> GitAddress | None:
    """The commit that a requirement names; None for one that an index serves.

    :param origin: where it stands, for the message.
    :raises InputError: it names an address that is no commit of a git repository.
    """
    if requirement.url is None:
        return None
    if not requirement.url.startswith(_SCHEME):
        raise _refused(requirement, origin, "names an address", do=f"write {requirement.name}==VERSION")
    try:
        parts = urlsplit(requirement.url.removeprefix(_SCHEME))
        host, port = (parts.hostname or ""), parts.port
    except ValueError as error:
        raise _refused(requirement, origin, "has an address that can't be read") from error
    if parts.username is not None or parts.password is not None:
        raise _refused(
            requirement, origin, "carries a user's name or password", found=f"an account on {host}",
            do="a requirement is shown in logs and pages: leave them out, and use a repository that "
            "the workers can read without them",
        )  # fmt: skip
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(f"http://{host}")):
        raise _refused(
            requirement, origin, "names a git repository that is not fetched over https", found=parts.scheme,
            do="write git+https://…; ssh, file and plain http are never used",
        )  # fmt: skip
    path, _, revision = parts.path.rpartition("@")
    if not _COMMIT.fullmatch(revision):
        shown = f"https://{parts.netloc}{path or parts.path}"
        raise _refused(
            requirement, origin, "does not name a commit by its whole hash",
            found=repr(revision) if path else "no commit",
            do=f"a branch or a tag moves: `git ls-remote {shown}` tells the hash that it stands for now",
        )  # fmt: skip
    if not host or port == 0 or parts.query or not _PATH.fullmatch(path) or _climbs(path):
        raise _refused(requirement, origin, "has an address that is not a plain one")
    return GitAddress(
        url=f"{parts.scheme}://{parts.netloc.lower()}{path}",
        commit=revision,
        subdirectory=_subdirectory(requirement, parts.fragment, origin),
    )


def check_git_hosts(requirements: Iterable[str], hosts: Sequence[str]) -> None:
    """Let git sources pass only from hosts that the service's administrator listed.

    :param requirements: as `normalise_requirements` returns them.
    :param hosts: patterns such as `*.example.org` or `git.internal:8443`; none means that there are no git
        sources.
    :raises InputError: one comes from another host; the message names the setting.
    """
    for text in requirements:
        address = git_address(Requirement(text))
        if address is None:
            continue
        alone = address.host.rpartition(":")[0] or address.host
        if not any(fnmatchcase(name, one.lower()) for one in hosts for name in (address.host, alone)):
            raise InputError(
                f"{text} comes from a git host that this service does not fetch from",
                expected=f"one of {', '.join(hosts)}" if hosts else "an index: git sources are off",
                found=address.host,
                do=f"let the service's administrator list {address.host} in WHEELYARD_GIT_HOSTS",
                host=address.host,
            )


def _subdirectory(requirement: Requirement, fragment: str, origin: str) -> str:
    if not fragment:
        return ""
    name, _, value = fragment.partition("=")
    folder = unquote(value).strip("/")
    if name != "subdirectory" or not _SUBDIRECTORY.fullmatch(folder) or _climbs(folder):
        raise _refused(
            requirement, origin, "has something behind its commit that is no folder", found=f"#{fragment}"
        )
    return folder


def _climbs(path: str) -> bool:
    return any(part in (".", "..") or part.startswith("-") for part in path.split("/")) or "//" in path


def _refused(
    requirement: Requirement, origin: str, failed: str, *, found: str = "", do: str = ""
) -> InputError:
    where = f" ({origin})" if origin else ""
    is_git = (requirement.url or "").startswith(_SCHEME)
    return InputError(
        f"{requirement.name}{where} {failed}",
        expected=_FORM if is_git else "a name with an optional version; the source then comes by hash",
        found=found or (requirement.url or ""),
        do=do,
    )
