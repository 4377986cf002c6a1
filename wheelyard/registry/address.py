"""Where an image is pushed to: `REGISTRY/REPOSITORY:TAG`, and how that registry is spoken to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from wheelyard.errors import InputError
from wheelyard.image_name import ImageName

# A host with a dot, a host with a port, `localhost`, or an address: what docker takes for a registry, too.
_REGISTRY = re.compile(
    r"(?:localhost|(?=[^/]*[.:])[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_EXAMPLE = "REGISTRY/REPOSITORY:TAG, such as registry.example.org/team/app:1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTarget:
    """A tag in a repository of a registry.

    :param registry: `HOST` or `HOST:PORT`, as logins name it.
    :param plain_http: whether it is spoken to without TLS; on loopback it always is.
    """

    registry: str
    repository: str
    tag: str
    plain_http: bool = False

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def url(self) -> str:
        """The registry's own address, without a slash at its end."""
        return f"{'http' if self.plain_http else 'https'}://{self.registry}"


def parse_target(text: str, *, plain_http: bool = False) -> PushTarget:
    """Read where an image goes; a name without a tag gets `latest`.

    :param text: as a person typed it.
    :param plain_http: whether any registry may be spoken to without TLS.
    :raises InputError: it names no registry, or something in it is no name.
    """
    registry, slash, rest = text.partition("/")
    if not slash or not _REGISTRY.fullmatch(registry):
        raise InputError(
            f"{text[:200]!r} names no registry",
            expected=_EXAMPLE,
            found=f"{registry[:200]!r}, which has neither a dot nor a port" if registry else "no host",
            do="write the registry's host before the repository",
        )
    name = ImageName.parse(rest)
    if name.digest is not None:
        raise InputError(
            f"{text[:200]!r} names a digest, and an image has its own",
            expected=_EXAMPLE,
            do="give it a tag",
        )
    return PushTarget(
        registry=registry,
        repository=name.repository,
        tag=name.tag,
        plain_http=plain_http or is_loopback(registry),
    )


def is_loopback(registry: str) -> bool:
    """Whether a registry is on this machine.

    :param registry: a host, with or without a port.
    """
    host = registry[1:].partition("]")[0] if registry.startswith("[") else registry.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
