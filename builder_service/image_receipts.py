"""Addresses of what is in an image: its receipt, its files, why something is there, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from builder_service.named_images import find_image, named_image
from builder_service.problems import responses
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity
from wheelyard.errors import NotFound, StoreUnavailable
from wheelyard.identity import Identity
from wheelyard.image_difference import AccountedImage, compare_images
from wheelyard.image_manifest import Manifest
from wheelyard.image_reason import explain
from wheelyard.image_receipt import Receipt, load_receipt
from wheelyard.image_record import ImageRecord
from wheelyard.image_referrers import referrer_document, referrers_of
from wheelyard.listed_files import ListedFiles, load_files
from wheelyard.lone_files import SLIMMER, Advice, advise
from wheelyard.smoke_verdict import find_verdict
from wheelyard.wheel_record import find_record

FORMS = {
    "cyclonedx": "application/vnd.cyclonedx+json",
    "spdx": "application/spdx+json",
    "provenance": "application/vnd.in-toto+json",
}
"""What is attached to an image when it is made, by its name here: its artifact type."""

Form = Literal["cyclonedx", "spdx", "provenance"]
router = APIRouter(prefix="/v1/images", tags=["images"])


class ReceiptDocument(BaseModel):
    """What is in an image. Sizes in bytes; paths are absolute; parts go by their titles."""

    model_config = ConfigDict(extra="allow")
    digest: str = Field(description="Of the manifest.")
    size: int = Field(description="Compressed bytes of all layers.")
    file_bytes: int = Field(description="Bytes of all files.")
    parts: list[dict[str, Any]] = Field(description="Wheels, packages, natives, application, rests.")
    executables: list[dict[str, Any]] = Field(description="Programs and scripts.")
    elves: list[dict[str, Any]] = Field(description="ELF files, what they need and how they come to run.")
    tools: list[dict[str, Any]] = Field(description="Tools that were looked for, and where they are.")
    licences: dict[str, list[str]] = Field(description="Licence to parts; the empty one is not said.")
    advice: list[dict[str, Any]] = Field(description="What another variant would save, where that is known.")
    attached: list[dict[str, Any]] = Field(description="SBOMs and provenance: descriptors of referrers.")
    smoke_test: dict[str, Any] = Field(description="Whether it was tried before it was published, and what.")


class FilesDocument(BaseModel):
    """Every file and link of an image."""

    owners: list[str] = Field(description="Titles of parts.")
    files: list[list[Any]] = Field(
        description="Path, number of its owner, mode, size, and SHA-256 or the target of a link."
    )


class ReasonsDocument(BaseModel):
    """Why something is in an image."""

    asked: str
    reasons: list[dict[str, Any]] = Field(description="Each with chains of files, or of requirements.")


class DifferenceDocument(BaseModel):
    """What an image has more, less or otherwise than another one."""

    model_config = ConfigDict(extra="allow")
    before: str = Field(description="Digest of the one that it is compared with.")
    after: str = Field(description="Digest of the image itself.")
    equal: bool
    size: int = Field(description="Compressed bytes that it is larger by.")
    to_pull: int = Field(description="Compressed bytes for who has the other one.")
    parts: list[dict[str, Any]]
    files: list[dict[str, Any]]
    settings: dict[str, Any]


@router.get(
    "/{image:path}/receipt",
    operation_id="get_image_receipt",
    summary="What is in an image",
    responses=responses(403, 404, 422),
)
def receipt(
    record: Annotated[ImageRecord, Depends(named_image)], services: Opened, identity: CurrentIdentity
) -> ReceiptDocument:
    """Size by layer, wheel and package, what needs what, licences, and which tools are proved absent."""
    found = receipt_of(services, record)
    return ReceiptDocument(
        **{
            **found.to_document(),
            "licences": {licence: list(titles) for licence, titles in found.licences().items()},
            "advice": [advice.to_document() for advice in advice_on(services, identity, found)],
            "smoke_test": find_verdict(services.store, record.image_id).to_document(),
            "attached": [one.to_descriptor() for one in referrers_of(services.store, record.manifest_digest)],
        }
    )


@router.get(
    "/{image:path}/files",
    operation_id="list_image_files",
    summary="Every file of an image",
    responses=responses(403, 404, 422),
)
def files(record: Annotated[ImageRecord, Depends(named_image)], services: Opened) -> FilesDocument:
    """With the wheel, package or layer that brought it."""
    return FilesDocument(**files_of(services, record).to_document())


@router.get(
    "/{image:path}/why",
    operation_id="explain_image",
    summary="Why something is in an image",
    responses=responses(403, 404, 422),
)
def why(
    record: Annotated[ImageRecord, Depends(named_image)],
    services: Opened,
    of: Annotated[
        str,
        Query(
            min_length=1,
            max_length=1000,
            description="A path, a library or the beginning of its name, a project, or a package.",
            examples=["libLLVM"],
        ),
    ],
) -> ReasonsDocument:
    """The chain from a wheel over files and sonames to a library, or from a project to what it requires."""
    found = explain(receipt_of(services, record), files_of(services, record).files, of)
    return ReasonsDocument(asked=of, reasons=[reason.to_document() for reason in found])


@router.get(
    "/{image:path}/diff",
    operation_id="compare_images",
    summary="What an image has otherwise than another one",
    responses=responses(403, 404, 422),
)
def difference(
    record: Annotated[ImageRecord, Depends(named_image)],
    services: Opened,
    identity: CurrentIdentity,
    against: Annotated[
        str, Query(min_length=1, max_length=500, description="The other one, named in the same ways.")
    ],
) -> DifferenceDocument:
    """Wheels, packages, files, layers, sizes, and how it runs."""
    before = find_image(services, identity, against)
    found = compare_images(accounted(services, before), accounted(services, record))
    return DifferenceDocument(**found.to_document())


@router.get(
    "/{image:path}/documents/{form}",
    operation_id="get_image_document",
    summary="An SBOM of an image, or its provenance",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}, **responses(403, 404, 422)},
)
def document(
    record: Annotated[ImageRecord, Depends(named_image)],
    form: Annotated[Form, Path(description="CycloneDX 1.6, SPDX 2.3, or SLSA provenance v1 (in-toto).")],
    services: Opened,
) -> Response:
    """The same bytes that registries list as referrers of the image."""
    body = (
        referrer_document(services.store, found.digest)
        if (found := attached_documents(services, record).get(form))
        else None
    )
    if body is None:
        raise NotFound(
            f"the image has no {form} document",
            found="an image that an older version made",
            do="ask for the image again",
            digest=str(record.manifest_digest),
        )
    name = f"{record.manifest_digest.hex[:12]}.{form}.json"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(body, media_type="application/json", headers=headers)


def attached_documents(services: Services, record: ImageRecord) -> dict[str, Manifest]:
    """What was attached to an image when it was made: its name here to its manifest."""
    names = {artifact: name for name, artifact in FORMS.items()}
    found = referrers_of(services.store, record.manifest_digest)
    return {names[one.artifact_type]: one for one in found if one.artifact_type in names}


def receipt_of(services: Services, record: ImageRecord) -> Receipt:
    """The receipt of an image.

    :raises NotFound: it was made by a version that wrote none.
    """
    found = load_receipt(services.store, record.manifest_digest)
    if found is None:
        raise _no_receipt(record)
    return found


def files_of(services: Services, record: ImageRecord) -> ListedFiles:
    """The list of an image's files.

    :raises NotFound: it was made by a version that wrote none.
    """
    found = load_files(services.store, record.manifest_digest)
    if found is None:
        raise _no_receipt(record)
    return found


def accounted(services: Services, record: ImageRecord) -> AccountedImage:
    """An image with all that a comparison needs.

    :raises StoreUnavailable: the store lost its config.
    """
    stream = services.store.open_blob(record.image_id)
    if stream is None:
        raise StoreUnavailable(
            "the config of an image is not in the store",
            expected=f"a blob {record.image_id}",
            do="restore the bucket from its backup, or ask for the image again",
        )
    with stream:
        config = stream.read()
    return AccountedImage(
        receipt=receipt_of(services, record), files=files_of(services, record).files, config=config
    )


def advice_on(services: Services, identity: Identity, receipt: Receipt) -> tuple[Advice, ...]:
    """What slimmer variants would save, of which a wheel was built here for the image's toolchain."""
    wanted = {SLIMMER[part.name] for part in receipt.parts if part.name in SLIMMER}
    known: dict[str, tuple[str, tuple[str, ...]]] = {}
    for project in sorted(wanted):
        built = [
            file
            for file in services.catalogue.files(None, project)
            if file.build_key and identity.may_use(file.channel)
        ]
        for file in sorted(built, key=lambda file: file.published_at):
            made = find_record(services.store, file.build_key)
            if made is not None and made.toolchain == receipt.toolchain:
                known[project] = (f"{project} {file.version}", made.external)
    external: Mapping[str, tuple[str, tuple[str, ...]]] = known
    return advise(receipt, external)


def _no_receipt(record: ImageRecord) -> NotFound:
    return NotFound(
        "the image has no receipt",
        expected="one that was written when the image was made",
        found="an image that an older version made",
        do="ask for the image again",
        digest=str(record.manifest_digest),
    )
