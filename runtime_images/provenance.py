"""Where an image comes from: an in-toto statement with a SLSA provenance predicate, inputs by digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runtime_images.package_urls import pypi_url
from runtime_images.spec import ImageSpec
from wheelyard.digests import canonical_json
from wheelyard.image_record import ImageRecord
from wheelyard.wheel_record import WheelRecord

MEDIA_TYPE = "application/vnd.in-toto+json"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:wheelyard:image:1"
BUILDER = "urn:wheelyard:builder"


def make_provenance(
    record: ImageRecord, spec: ImageSpec, wheels: Mapping[str, WheelRecord], name: str
) -> bytes:
    """The statement's bytes, unsigned: a function of the image's inputs, without time and host.

    :param spec: every input of the image, by digest.
    :param wheels: digest of a wheel to its record, of those that were built here.
    :param name: of the image, for people.
    """
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": _digest(str(record.manifest_digest))}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": spec.to_document(),
                "internalParameters": {"image_key": record.key},
                "resolvedDependencies": list(_inputs(record, wheels)),
            },
            "runDetails": {"builder": {"id": BUILDER}},
        },
    }
    return canonical_json(statement)


def _inputs(record: ImageRecord, wheels: Mapping[str, WheelRecord]) -> Iterator[dict[str, Any]]:
    yield {
        "name": f"toolchain {record.toolchain}",
        "uri": f"urn:wheelyard:toolchain:{record.toolchain}",
        "digest": _digest(record.toolchain_image),
    }
    of_wheels = {pin.title for pin in record.wheels}
    for layer in record.layers:
        if layer.title not in of_wheels:
            yield {
                "name": f"layer {layer.title}",
                "uri": f"urn:wheelyard:layer:{layer.digest}",
                "digest": _digest(str(layer.digest)),
                "mediaType": layer.media_type,
            }
    for pin in record.wheels:
        made = wheels.get(str(pin.digest))
        wheel: dict[str, Any] = {
            "name": pin.filename,
            "uri": pypi_url(pin.project, pin.version),
            "digest": _digest(str(pin.digest)),
        }
        if made is not None:
            wheel["annotations"] = {"build_key": made.key, "toolchain": made.inputs.toolchain}
        yield wheel
        if made is not None:
            yield {
                "name": made.inputs.sdist_filename,
                "uri": pypi_url(pin.project, pin.version),
                "digest": _digest(made.inputs.sdist),
            }


def _digest(text: str) -> dict[str, str]:
    return {"sha256": text.removeprefix("sha256:")}
