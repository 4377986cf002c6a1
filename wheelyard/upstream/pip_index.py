"""The index that pip is configured for: its address, and how pip reaches it."""

from __future__ import annotations

import ast
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit, urlunsplit

from pypi_simple import PYPI_SIMPLE_ENDPOINT

from wheelyard.errors import InfrastructureError, InputError
from wheelyard.process import run_command

# pip's own order: the environment, then the command's section, then the global one.
_SECTIONS = (":env:", "install", "global")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipIndex:
    """One index and the way to it.

    :param url: address of its simple pages, perhaps with a user and a password in it.
    :param ca_bundle: file of certificates to trust; empty means the machine's own.
    :param client_certificate: file with a certificate and key to show; empty means none.
    :param proxy: address of a proxy; empty means what the machine's environment says.
    """

    url: str
    ca_bundle: str = ""
    client_certificate: str = ""
    proxy: str = ""

    @property
    def shown(self) -> str:
        """The address without user and password, for messages."""
        return hide_credentials(self.url)

    def with_credentials(self, url: str) -> str:
        """An address of the same server with the index's user and password in it; another server gets none.

        :param url: of a file; one that names a user already stays as it is.
        """
        own, parts = urlsplit(self.url), urlsplit(url)
        account = own.netloc.rpartition("@")[0]
        if not account or "@" in parts.netloc:
            return url
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc.rpartition("@")[2]):
            return url
        return urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc}"))


def hide_credentials(url: str) -> str:
    """An address without the user and password that may stand in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def parse_pip_configuration(text: str) -> dict[str, str]:
    """Values by name from what `pip config list` prints, in pip's order of precedence.

    :param text: lines such as `global.index-url='https://…'`; others are passed over.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section not in found or not name:
            continue
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue
        found[section][name] = str(parsed)
    return {name: value for section in reversed(_SECTIONS) for name, value in found[section].items()}


def _pip_commands() -> Iterator[tuple[str, ...]]:
    yield sys.executable, "-m", "pip"
    for program in ("pip3", "pip"):  # a virtual environment made by uv holds no pip
        if path := shutil.which(program):
            yield (path,)


def read_pip_configuration() -> Mapping[str, str]:
    """Values of pip's configuration by name, as it was when this process asked first.

    It is empty where there is no pip that could be configured.
    """
    for command in _pip_commands():
        try:
            return parse_pip_configuration(_printed_by(command))
        except InfrastructureError:
            continue
    return {}


@cache
def _printed_by(pip: tuple[str, ...]) -> str:
    return run_command([*pip, "config", "list"], timeout=60)


def configured_index(index_url: str = "") -> PipIndex:
    """The upstream index: the given one, or pip's configured one, or pip's default.

    Extra indexes and find-links are passed over: a file that may come from either of two is not locked.

    :param index_url: from the settings; empty means pip's.
    :raises InputError: the address is not one of HTTP.
    """
    values = read_pip_configuration()
    url = index_url or values.get("index-url", "") or PYPI_SIMPLE_ENDPOINT
    if urlsplit(url).scheme not in {"http", "https"}:
        raise InputError(
            "the upstream index can't be used",
            expected="an address that begins with https:// or http://",
            found=hide_credentials(url),
            do="set WHEELYARD_INDEX_URL, or pip's index-url",
        )
    return PipIndex(
        url=url.rstrip("/") + "/",
        # SSL_CERT_FILE is read by Python's own ssl module here.
        ca_bundle=values.get("cert", "") or ssl.get_default_verify_paths().cafile or "",
        client_certificate=values.get("client-cert", ""),
        proxy=values.get("proxy", ""),
    )
