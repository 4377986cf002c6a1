"""Where webhooks may go: the addresses that a service lets itself be sent to, and those that it refuses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from wheelyard.errors import InputError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}
_DO = "give another address, or ask the service's administrator to list its host in WHEELYARD_WEBHOOK_HOSTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAddress:
    """An address that a message may be sent to, as far as its text says.

    :param target: path and query.
    :param listed: the administrator named its host, so that it may be a private one.
    """

    scheme: str
    host: str
    port: int
    target: str
    listed: bool

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def pinned(self, ip: str) -> str:
        """The same address with the host's IP address in its place: what was checked is what is called."""
        host = f"[{ip}]" if ":" in ip else ip
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def read_webhook_address(url: str, hosts: Sequence[str]) -> WebhookAddress:
    """Read an address and hold it to the service's rules, without asking any server.

    :param hosts: patterns (`*.internal`) of hosts that may be sent to, over HTTP and in private networks,
        too; empty means any public host over HTTPS.
    :raises InputError: it is no such address; the text says why.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise _refused("it can't be read as one", str(error)) from error
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused("it has characters that an address has not", "blanks, or others than ASCII's own")
    if parts.scheme not in _PORTS or not host or port == 0:
        raise _refused("it is not an HTTP address", f"{parts.scheme or 'no scheme'}, host {host!r}")
    if parts.username is not None or parts.password is not None:
        raise _refused("it carries a user's name", "a user before the @")
    listed = any(fnmatchcase(host, pattern.lower()) for pattern in hosts)
    if hosts and not listed:
        raise _refused("its host is not one that this service may send to", host)
    if not listed:
        if parts.scheme != "https":
            raise _refused("it is not https", parts.scheme)
        if (ip := _literal(host)) is not None:
            check_public(host, [ip])
        elif host == "localhost" or host.endswith(".localhost"):
            raise _refused("its host is this machine", host)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookAddress(
        scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme], target=target, listed=listed
    )


def check_public(host: str, addresses: Iterable[str]) -> None:
    """Hold every address of a host to be one of the public internet.

    :raises InputError: one is of this machine, of a private network, or of no single machine.
    """
    for text in addresses:
        for ip in _meanings(ipaddress.ip_address(text.partition("%")[0])):
            if not ip.is_global or ip.is_multicast or ip.is_reserved:
                raise _refused("its host is not on the public internet", f"{host} is {text}")


def _meanings(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """An address, or the IPv4 one that a packet to it may end at."""
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [one for one in inner if one is not None]
    return found if ip.ipv4_mapped is not None else [ip, *found]


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _refused(why: str, found: str) -> InputError:
    return InputError(
        f"the webhook's address is not taken: {why}",
        expected="https://HOST/PATH with a public host, or a host that the service lists",
        found=found,
        do=_DO,
    )
