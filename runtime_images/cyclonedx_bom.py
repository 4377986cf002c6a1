"""The SBOM of an image as CycloneDX 1.6, out of its receipt: no time and no random number in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from runtime_images.package_urls import package_url, part_needs
from wheelyard.digests import canonical_json
from wheelyard.image_receipt import Component, Part, PartKind, Receipt
from wheelyard.licence_expression import is_expression

MEDIA_TYPE = "application/vnd.cyclonedx+json"

_TYPES = {
    PartKind.WHEEL: "library",
    PartKind.PACKAGE: "library",
    PartKind.NATIVE: "library",
    PartKind.APPLICATION: "application",
}


def make_cyclonedx(receipt: Receipt, name: str) -> bytes:
    """The SBOM's bytes; the same for the same image, whenever and wherever it is made.

    Written by hand: the library's objects take thirty times as long, and a test holds this against the
    schema.

    :param name: of the image, for people.
    """
    parts = [part for part in receipt.parts if part.kind in _TYPES]
    refs = {part.title: _ref(part) for part in parts}
    needs = part_needs(receipt)
    depends = [{"ref": receipt.digest, "dependsOn": sorted(refs.values())}]
    depends += [
        {"ref": ref, "dependsOn": [refs[need] for need in needs.get(title, ()) if need in refs]}
        for title, ref in refs.items()
    ]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'wheelyard:cyclonedx:{receipt.digest}')}",
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": receipt.digest,
                "name": name,
                "version": receipt.digest,
                "hashes": [_hash(receipt.digest)],
            }
        },
        "components": [
            *_operating_system(receipt.release),
            *(_component(part, receipt.release) for part in parts),
        ],
        "dependencies": depends,
    }
    return canonical_json(document)


def _ref(part: Part) -> str:
    return f"{part.kind.value}:{part.title}"


def _component(part: Part, release: str) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": _TYPES[part.kind],
        "bom-ref": _ref(part),
        "name": part.name,
        "version": part.version,
        "purl": package_url(part, release),
        "hashes": [_hash(part.digest)] if part.digest else [],
        "licenses": [{"expression": part.licence}] if is_expression(part.licence) else [],
        "components": list(_inner(part.title, part.components)),
        "properties": [
            {"name": f"wheelyard:{name}", "value": value}
            for name, value in (
                ("kind", part.kind.value),
                ("unpacked", str(part.unpacked)),
                ("filename", part.filename),
                ("licence-source", part.licence_source),
            )
            if value
        ],
    }
    return _said(component)


def _inner(title: str, components: Iterable[Component]) -> Iterator[dict[str, Any]]:
    """What the wheel's own SBOM lists: libraries that were grafted into it."""
    for one in sorted(set(components)):
        yield _said(
            {
                "type": "library",
                "bom-ref": f"inside {title}: {one.name} {one.version} {one.purl}".strip(),
                "name": one.name or "unnamed",
                "version": one.version,
                "purl": one.purl,
            }
        )


def _operating_system(release: str) -> Iterator[dict[str, Any]]:
    """Scanners look for the distribution here before they judge its packages."""
    name, _, version = release.partition("-")
    if name:
        yield _said(
            {
                "type": "operating-system",
                "bom-ref": f"operating-system:{release}",
                "name": name,
                "version": version,
            }
        )


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {name: value for name, value in fields.items() if value}


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest.removeprefix("sha256:")}
