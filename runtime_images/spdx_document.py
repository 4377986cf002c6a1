"""The SBOM of an image as SPDX 2.3 JSON, out of its receipt: no time and no random number in it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from cyclonedx.spdx import is_supported_id

from runtime_images.package_urls import package_url, part_needs
from wheelyard.digests import canonical_json
from wheelyard.image_receipt import Part, PartKind, Receipt
from wheelyard.licence_expression import is_expression, licences_in
from wheelyard.oci import EPOCH

MEDIA_TYPE = "application/spdx+json"

_DOCUMENT, _IMAGE = "SPDXRef-DOCUMENT", "SPDXRef-Image"
_SAID_NOTHING = "NOASSERTION"
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_PURPOSES = {
    PartKind.WHEEL: "LIBRARY",
    PartKind.PACKAGE: "LIBRARY",
    PartKind.NATIVE: "LIBRARY",
    PartKind.APPLICATION: "APPLICATION",
}


def make_spdx(receipt: Receipt, name: str) -> bytes:
    """The SBOM's bytes; the same for the same image, whenever and wherever it is made.

    :param name: of the image, for people.
    """
    parts = [part for part in receipt.parts if part.kind in _PURPOSES]
    ids = {part.title: f"SPDXRef-{part.kind.value}-{number}" for number, part in enumerate(parts)}
    expressions = {part.title: _expression(part.licence) for part in parts}
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'wheelyard:spdx:{receipt.digest}')}",
        # The field has to be there, and an image holds no time.
        "creationInfo": {"created": EPOCH, "creators": ["Tool: wheelyard"]},
        "packages": [
            _image(receipt, name),
            *(_package(part, ids[part.title], expressions[part.title], receipt.release) for part in parts),
        ],
        "hasExtractedLicensingInfos": [
            {
                "licenseId": licence,
                "name": licence.removeprefix("LicenseRef-"),
                "extractedText": "What the package itself calls this licence; its text is in the image.",
            }
            for licence in sorted(_references(expressions.values()))
        ],
        "relationships": list(_relationships(receipt, ids)),
    }
    return canonical_json(document)


def _image(receipt: Receipt, name: str) -> dict[str, Any]:
    return {
        "SPDXID": _IMAGE,
        "name": name,
        "versionInfo": receipt.digest,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": _SAID_NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": _SAID_NOTHING,
        "licenseDeclared": _SAID_NOTHING,
        "copyrightText": _SAID_NOTHING,
        "checksums": [_checksum(receipt.digest)],
    }


def _package(part: Part, spdx_id: str, expression: str, release: str) -> dict[str, Any]:
    url = package_url(part, release)
    package: dict[str, Any] = {
        "SPDXID": spdx_id,
        "name": part.name,
        "primaryPackagePurpose": _PURPOSES[part.kind],
        "downloadLocation": _SAID_NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": _SAID_NOTHING,
        "licenseDeclared": expression or _SAID_NOTHING,
        "copyrightText": _SAID_NOTHING,
    }
    if part.version:
        package["versionInfo"] = part.version
    if part.filename:
        package["packageFileName"] = part.filename
    if part.digest:
        package["checksums"] = [_checksum(part.digest)]
    if url:
        reference = {"referenceType": "purl", "referenceLocator": url}
        package["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", **reference}]
    return package


def _relationships(receipt: Receipt, ids: dict[str, str]) -> Iterator[dict[str, str]]:
    yield _relationship(_DOCUMENT, "DESCRIBES", _IMAGE)
    for spdx_id in ids.values():
        yield _relationship(_IMAGE, "CONTAINS", spdx_id)
    for title, needs in part_needs(receipt).items():
        for need in needs:
            if title in ids and need in ids:
                yield _relationship(ids[title], "DEPENDS_ON", ids[need])


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _checksum(digest: str) -> dict[str, str]:
    return {"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}


def _expression(said: str) -> str:
    """An expression of which every licence is one that SPDX knows, or a reference."""
    expression = said
    for licence in licences_in(said):
        plain, with_, exception = licence.partition(" WITH ")
        if not (is_supported_id(plain) or _REFERENCE.fullmatch(plain)):
            named = re.sub(r"[^A-Za-z0-9.-]+", "-", plain).strip("-") or "unnamed"
            expression = expression.replace(licence, f"LicenseRef-{named}{with_}{exception}")
    # What is no expression at all can't be declared.
    return expression if is_expression(expression) else ""


def _references(expressions: Any) -> set[str]:
    return {found for expression in expressions for found in _REFERENCE.findall(expression)}
