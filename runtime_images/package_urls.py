"""Package URLs of an image's parts, as scanners look them up (purl-spec)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from wheelyard.image_receipt import Part, PartKind, Receipt


def package_url(part: Part, release: str) -> str:
    """The package URL of a part; empty for what is in no package index.

    :param release: distribution and version, `debian-12`.
    """
    if part.kind is PartKind.WHEEL:
        return pypi_url(part.name, part.version)
    if part.kind is not PartKind.PACKAGE:
        return ""
    # A vulnerability is noted for the source package.
    upstream = part.source.replace(" (", "@").rstrip(")")
    qualifiers = {"arch": part.architecture, "distro": release, "upstream": upstream}
    return _url(f"deb/{release.partition('-')[0] or 'debian'}", part.name, part.version, qualifiers)


def pypi_url(project: str, version: str) -> str:
    """The package URL of a Python project's version.

    :param project: canonical name (PEP 503).
    """
    return _url("pypi", project, version, {})


def _url(place: str, name: str, version: str, qualifiers: Mapping[str, str]) -> str:
    given = "&".join(f"{key}={quote(value, safe=':')}" for key, value in sorted(qualifiers.items()) if value)
    behind = f"@{quote(version, safe=':')}" if version else ""
    return f"pkg:{place}/{quote(name, safe='')}{behind}" + (f"?{given}" if given else "")


def part_needs(receipt: Receipt) -> dict[str, tuple[str, ...]]:
    """Title of a part to those that it needs: projects that it requires, and owners of libraries it loads."""
    titles = {part.name: part.title for part in receipt.parts if part.kind is PartKind.WHEEL}
    owners = {elf.path: elf.owner for elf in receipt.elves}
    found: dict[str, set[str]] = {
        part.title: {titles[name] for name in part.requires if name in titles} for part in receipt.parts
    }
    for elf in receipt.elves:
        found.setdefault(elf.owner, set()).update(
            owners[target] for _soname, target in elf.needs if target in owners
        )
    return {title: tuple(sorted(needs - {title})) for title, needs in sorted(found.items())}
