"""Names of images: repository, tag and digest, as the OCI distribution specification has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wheelyard.digests import Digest
from wheelyard.errors import InputError

LATEST = "latest"
LONGEST_REPOSITORY = 200
"""Clients take 255 characters with the registry's host and port in front; this leaves them room."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:localhost|[A-Za-z0-9-]+\.[A-Za-z0-9.-]+|[A-Za-z0-9.-]+:[0-9]+)/.*")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ImageName:
    """A tag of a repository, or a manifest in one: `team/app:1.2` or `team/app@sha256:…`.

    :param repository: without the registry's host.
    :param tag: empty where it is named by digest only.
    :param digest: of the manifest; None where it is named by tag.
    """

    repository: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Read `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@sha256:…`; without either, the tag is `latest`.

        :raises InputError: it is no such name; the message says which part of it is not.
        """
        rest, at, digest = text.partition("@")
        colon = rest.rfind(":")
        repository, tag = (rest[:colon], rest[colon + 1 :]) if colon > rest.rfind("/") else (rest, "")
        if rest.endswith(":"):
            raise _no_name(text, "nothing behind the colon")
        check_repository(repository)
        if tag:
            check_tag(tag)
        if at:
            return cls(repository=repository, tag=tag, digest=check_digest(digest))
        return cls(repository=repository, tag=tag or LATEST)

    @classmethod
    def tagged(cls, text: str) -> ImageName:
        """Read `REPOSITORY:TAG`, of which both must be there: what a moving tag is asked for by.

        :raises InputError: it is another name.
        """
        name = cls.parse(text)
        if name.digest is not None or not text.endswith(f":{name.tag}"):
            raise _no_name(text, "no tag" if name.digest is None else "a digest")
        return name


def check_repository(text: str) -> str:
    """The repository's name, or an InputError where it is none.

    :param text: without the registry's host; lower case, as the specification wants it.
    """
    if len(text) <= LONGEST_REPOSITORY and _REPOSITORY.fullmatch(text):
        return text
    do, text = "", text[: 2 * LONGEST_REPOSITORY]
    if _HOST.fullmatch(text) and _REPOSITORY.fullmatch(text.partition("/")[2]):
        do = "leave out the registry's host: the name is one of the service's own registry"
    elif _REPOSITORY.fullmatch(text.lower()):
        do = f"write it in lower case: {text.lower()[:200]}"
    raise InputError(
        f"{text[:200]!r} is not a repository's name",
        expected="parts of lower-case letters and digits such as team/video-app, with single ., _ or any - "
        f"inside a part, at most {LONGEST_REPOSITORY} characters",
        do=do,
    )


def check_tag(text: str) -> str:
    """The tag, or an InputError where it is none."""
    if not _TAG.fullmatch(text):
        raise InputError(
            f"{text[:200]!r} is not a tag",
            expected="letters, digits, _, . and -, not beginning with . or -, at most 128 characters",
        )
    return text


def check_digest(text: str) -> Digest:
    """A digest as registries write it, or an InputError where it is none.

    :param text: `sha256:` and 64 hexadecimal digits; other algorithms are not taken.
    """
    if not _DIGEST.fullmatch(text):
        raise InputError(
            f"{text[:200]!r} is not a digest",
            expected="sha256: and 64 lower-case hexadecimal digits",
        )
    return Digest.parse(text)


def _no_name(text: str, found: str) -> InputError:
    return InputError(
        f"{text[:200]!r} is not the name of an image",
        expected="REPOSITORY:TAG, for instance team/video-app:1.2",
        found=found,
    )
