"""The Debian mirror that this machine's apt uses, read from its sources (sources.list(5))."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wheelyard.errors import InfrastructureError, InputError
from wheelyard.process import run_command
from wheelyard.settings import Settings

APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_HOW_TO_REACH = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-Valid-Until")

_RELEASES = (
    *("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
)
_ONE_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One address in one suite of apt's sources.

    :param uri: without a slash at its end.
    :param suite: for instance `bookworm-security`.
    :param signed_by: keyrings that it names; empty means apt's own.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Where a release's packages come from.

    :param main: address of the archive, without a slash at its end.
    :param security: address of the archive of security updates; empty where there is none.
    """

    main: str
    security: str = ""

    def sources(self, suite: str, keyring: Path = KEYRING) -> tuple[str, ...]:
        """The release's one-line sources, each bound to Debian's own keys.

        :param suite: code name of the release, whatever release the machine itself runs.
        """
        signed = f"deb [signed-by={keyring}]"
        lines = [f"{signed} {self.main} {suite} main", f"{signed} {self.main} {suite}-updates main"]
        if self.security:
            lines.append(f"{signed} {self.security} {suite}-security main")
        return tuple(lines)


def find_mirror(settings: Settings, apt: Path = APT) -> Mirror:
    """The mirror that the settings name, or else the one that apt uses.

    :param apt: apt's configuration folder.
    :raises InputError: the setting is not an address.
    :raises InfrastructureError: apt has no Debian source.
    """
    if settings.debian_mirror:
        return _named(settings.debian_mirror)
    sources = [source for source in read_sources(apt) if _is_debian(source)]
    security = [source.uri for source in sources if _is_security(source)]
    main = [source.uri for source in sources if not _is_security(source)]
    if not main:
        raise InfrastructureError(
            "no Debian mirror is known",
            expected=f"a Debian release with the component main in {apt}/sources.list or sources.list.d",
            do="set WHEELYARD_DEBIAN_MIRROR to a mirror's address, for instance the one nearest to you",
        )
    return Mirror(main=main[0], security=security[0] if security else "")


def _named(address: str) -> Mirror:
    uri = address.rstrip("/")
    if not re.fullmatch(r"(https?|file|copy)://?[^\s\[\]]+", uri):
        raise InputError(
            "WHEELYARD_DEBIAN_MIRROR is not a mirror's address",
            expected="http://HOST/debian or https://HOST/debian",
            found=repr(address),
        )
    # Mirrors keep the security archive beside the main one, under Debian's own name for it.
    return Mirror(main=uri, security=f"{uri}-security" if uri.endswith("/debian") else "")


def _is_security(source: AptSource) -> bool:
    return source.suite.endswith(("-security", "/updates"))


def _is_debian(source: AptSource) -> bool:
    release = re.split(r"[-/]", source.suite)[0]
    # Others offer packages under Debian's release names too; they sign with keys of their own.
    ours = not source.signed_by or "debian-archive" in source.signed_by or "BEGIN PGP" in source.signed_by
    fetched = source.uri.startswith(("http:", "https:", "file:", "copy:", "mirror"))
    return release in _RELEASES and "main" in source.components and ours and fetched


def read_sources(apt: Path = APT) -> tuple[AptSource, ...]:
    """Every binary source of apt's configuration, in apt's order, both formats.

    :param apt: apt's configuration folder; what can't be read in it is passed over.
    """
    folder = apt / "sources.list.d"
    lists = [apt / "sources.list", *(sorted(folder.glob("*.list")) if folder.is_dir() else [])]
    found: list[AptSource] = []
    for place in lists:
        found += parse_one_line(_text(place).splitlines())
    for place in sorted(folder.glob("*.sources")) if folder.is_dir() else []:
        found += parse_deb822(_text(place))
    return tuple(found)


def _text(place: Path) -> str:
    try:
        return place.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def parse_one_line(lines: Iterable[str]) -> Iterator[AptSource]:
    """Sources in the one-line format: `deb [option=value …] URI SUITE COMPONENT…`."""
    for line in lines:
        match = _ONE_LINE.match(line.split("#")[0].strip())
        if match is None:
            continue
        options = dict(word.partition("=")[::2] for word in shlex.split(match["options"] or ""))
        yield AptSource(
            uri=match["uri"].rstrip("/"),
            suite=match["suite"],
            components=tuple(match["components"].split()),
            signed_by=options.get("signed-by", ""),
        )


def parse_deb822(text: str) -> Iterator[AptSource]:
    """Sources in the deb822 format: stanzas of fields such as `URIs`, `Suites` and `Signed-By`."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {
            "no",
            "false",
        }:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(
                    uri=uri.rstrip("/"),
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", ""),
                )


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            if name:
                fields[name] = f"{fields[name]} {line.strip()}".strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def apt_settings() -> list[str]:
    """How this machine's apt reaches its mirror, as lines of an apt.conf(5)."""
    command = ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', *_HOW_TO_REACH]
    return [line for line in run_command(command, timeout=60).splitlines() if line.strip()]
