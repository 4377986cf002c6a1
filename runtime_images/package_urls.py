"""Package URLs of an image's parts, as scanners look them up (purl-spec)."""

from __future__ import annotations

from packageurl import PackageURL

from wheelyard.image_receipt import Part, PartKind, Receipt


def package_url(part: Part, release: str) -> PackageURL | None:
    """The package URL of a part; None for what is in no package index.

    :param release: distribution and version, `debian-12`.
    """
    if part.kind is PartKind.WHEEL and part.version:
        return PackageURL("pypi", None, part.name, part.version)
    if part.kind is PartKind.PACKAGE:
        distribution = release.partition("-")[0] or "debian"
        qualifiers = {"arch": part.architecture, "distro": release}
        if part.source:
            # A vulnerability is noted for the source package.
            qualifiers["upstream"] = part.source.replace(" (", "@").rstrip(")")
        given = {name: value for name, value in qualifiers.items() if value}
        return PackageURL("deb", distribution, part.name, part.version, given)
    return None


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
