"""What is said of an image beside it: SBOMs and provenance, attached so that registries list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime_images.cyclonedx_bom import MEDIA_TYPE as CYCLONEDX
from runtime_images.cyclonedx_bom import make_cyclonedx
from runtime_images.provenance import MEDIA_TYPE as IN_TOTO
from runtime_images.provenance import PREDICATE, make_provenance
from runtime_images.spdx_document import MEDIA_TYPE as SPDX
from runtime_images.spdx_document import make_spdx
from runtime_images.spec import ImageSpec
from wheelyard.errors import InfrastructureError
from wheelyard.image_catalogue import title_of
from wheelyard.image_receipt import load_receipt
from wheelyard.image_record import ImageRecord
from wheelyard.image_referrers import attach, referrers_of
from wheelyard.store.contract import Store
from wheelyard.wheel_record import WheelRecord, find_record


def attach_documents(store: Store, record: ImageRecord, spec: ImageSpec, build: Mapping[str, Any]) -> None:
    """Attach CycloneDX, SPDX and provenance to an image that is in the store; safe to repeat.

    They are functions of the image and its inputs: the second time nothing is made or written.

    :param spec: every input of the image.
    :param build: result of the build of its wheels, which names their build keys.
    :raises InfrastructureError: its receipt is not in the store.
    """
    digest = record.manifest_digest
    there = {one.artifact_type for one in referrers_of(store, digest)}
    if {CYCLONEDX, SPDX, IN_TOTO} <= there:
        return
    receipt = load_receipt(store, digest)
    if receipt is None:
        raise InfrastructureError(
            "the receipt of an image is not in the store any more", do="ask for the image again"
        )
    name = title_of(record)
    attach(store, digest, CYCLONEDX, CYCLONEDX, make_cyclonedx(receipt, name))
    attach(store, digest, SPDX, SPDX, make_spdx(receipt, name))
    statement = make_provenance(record, spec, _wheel_records(store, build), name)
    attach(store, digest, IN_TOTO, IN_TOTO, statement, {"in-toto.io/predicate-type": PREDICATE})


def _wheel_records(store: Store, build: Mapping[str, Any]) -> dict[str, WheelRecord]:
    """Digest of each wheel that was built here to its record."""
    found = {}
    for wheel in build["wheels"]:
        made = find_record(store, wheel["build_key"]) if wheel.get("build_key") else None
        if made is not None:
            found[str(made.digest)] = made
    return found
