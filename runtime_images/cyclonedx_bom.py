"""The SBOM of an image as CycloneDX 1.6, out of its receipt: no time and no random number in it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from runtime_images.package_urls import package_url, part_needs
from wheelyard.digests import canonical_json
from wheelyard.image_receipt import Component as Inner
from wheelyard.image_receipt import Part, PartKind, Receipt

MEDIA_TYPE = "application/vnd.cyclonedx+json"

_TYPES = {
    PartKind.WHEEL: ComponentType.LIBRARY,
    PartKind.PACKAGE: ComponentType.LIBRARY,
    PartKind.NATIVE: ComponentType.LIBRARY,
    PartKind.APPLICATION: ComponentType.APPLICATION,
}


def make_cyclonedx(receipt: Receipt, name: str) -> bytes:
    """The SBOM's bytes; the same for the same image, whenever and wherever it is made.

    :param name: of the image, for people.
    """
    image = Component(
        name=name,
        version=receipt.digest,
        type=ComponentType.CONTAINER,
        bom_ref=receipt.digest,
        hashes=[_hash(receipt.digest)],
    )
    components = {
        part.title: _component(part, receipt.release) for part in receipt.parts if part.kind in _TYPES
    }
    system = _operating_system(receipt.release)
    bom = Bom(
        components=[*components.values(), *([system] if system else [])],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"wheelyard:cyclonedx:{receipt.digest}"),
        metadata=BomMetaData(component=image),
        dependencies=[
            Dependency(image.bom_ref, [Dependency(one.bom_ref) for one in components.values()]),
            *(
                Dependency(
                    components[title].bom_ref,
                    [Dependency(components[need].bom_ref) for need in needs if need in components],
                )
                for title, needs in part_needs(receipt).items()
                if title in components
            ),
        ],
    )
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library writes down when it ran; the image does not depend on that.
    document["metadata"].pop("timestamp", None)
    return canonical_json(document)


def _component(part: Part, release: str) -> Component:
    url = package_url(part, release)
    return Component(
        name=part.name,
        version=part.version or None,
        type=_TYPES[part.kind],
        bom_ref=f"{part.kind.value}:{part.title}",
        purl=url,
        hashes=[_hash(part.digest)] if part.digest else [],
        licenses=[LicenseExpression(part.licence)] if part.licence else [],
        components=list(_inner(part.title, part.components)),
        properties=[
            Property(name="wheelyard:kind", value=part.kind.value),
            Property(name="wheelyard:unpacked", value=str(part.unpacked)),
            *([Property(name="wheelyard:filename", value=part.filename)] if part.filename else []),
            *([Property(name="wheelyard:licence-source", value=part.licence_source)] if part.licence else []),
        ],
    )


def _inner(title: str, components: Iterable[Inner]) -> Iterable[Component]:
    """What the wheel's own SBOM lists: libraries that were grafted into it."""
    for one in sorted(set(components)):
        try:
            url = PackageURL.from_string(one.purl) if one.purl else None
        except ValueError:
            url = None
        yield Component(
            name=one.name or "unnamed",
            version=one.version or None,
            type=ComponentType.LIBRARY,
            bom_ref=f"inside {title}: {one.name} {one.version} {one.purl}".strip(),
            purl=url,
        )


def _operating_system(release: str) -> Component | None:
    """Scanners look for the distribution here before they judge its packages."""
    name, _, version = release.partition("-")
    if not name:
        return None
    return Component(
        name=name,
        version=version or None,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=f"operating-system:{release}",
    )


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))
