"""Small images for the registry's tests: made here as a worker does, or pushed by a client."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass

from wheelyard.digests import Digest, canonical_json
from wheelyard.image_publication import publish_image
from wheelyard.image_record import ImageRecord, image_document
from wheelyard.oci import MEDIA_CONFIG, MEDIA_LAYER, MEDIA_MANIFEST, Layer, Runtime, make_image


def make_layer(name: str, content: bytes) -> tuple[Layer, bytes]:
    """A layer of one file, and its compressed bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    body = gzip.compress(plain.getvalue(), mtime=0)
    layer = Layer(
        digest=Digest.of(body), diff_id=Digest.of(plain.getvalue()), size=len(body),
        unpacked=len(plain.getvalue()), title=name,
    )  # fmt: skip
    return layer, body


def make_record(services, content: bytes = b"hello", *, key: str = "k", tags=()) -> ImageRecord:
    """An image as a worker makes it, with one layer: its bytes, its record, and its tags."""
    layer, body = make_layer("greeting", content)
    image = make_image([layer], Runtime(entrypoint=("/greeting",), workdir="/"))
    for part in (body, image.config, image.manifest):
        services.store.put_blob(part, Digest.of(part))
    record = ImageRecord(
        key=Digest.of(key.encode() + content).hex, image_id=image.id, config_size=len(image.config),
        manifest_digest=image.digest, manifest_size=len(image.manifest), toolchain="debian12-cp311",
        toolchain_image=str(Digest.of(b"toolchain")), layers=(layer,), wheels=(), workdir="/",
        user="1000:1000", size=layer.size, unpacked=layer.unpacked,
    )  # fmt: skip
    services.store.put_document(image_document(record.key), canonical_json(record.to_document()))
    publish_image(services.ledger.database, services.store, record, tags, "a-worker")
    return record


@dataclass(frozen=True)
class Pushed:
    """An image that a client pushed."""

    manifest: bytes
    layer: bytes
    config: bytes

    @property
    def digest(self) -> str:
        return str(Digest.of(self.manifest))


def push_blob(http, repository: str, body: bytes) -> str:
    """Push a blob with POST and PUT; returns its digest."""
    digest = str(Digest.of(body))
    place = http.post(f"/v2/{repository}/blobs/uploads/").headers["location"]
    answer = http.put(place, params={"digest": digest}, content=body)
    assert answer.status_code == 201, answer.text
    return digest


def manifest_of(config: bytes, layers: list[bytes], **more) -> bytes:
    """An OCI manifest over bytes."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": {
                "mediaType": MEDIA_CONFIG,
                "digest": str(Digest.of(config)),
                "size": len(config),
            },
            "layers": [
                {"mediaType": MEDIA_LAYER, "digest": str(Digest.of(layer)), "size": len(layer)}
                for layer in layers
            ],
            **more,
        },
        indent=3,
    ).encode()


def put_manifest(
    http, repository: str, reference: str, body: bytes, media_type: str = MEDIA_MANIFEST, **query
):
    """PUT of a manifest; the answer."""
    return http.put(
        f"/v2/{repository}/manifests/{reference}",
        content=body,
        headers={"content-type": media_type},
        params=query,
    )


def push_image(http, repository: str, tag: str = "latest", content: bytes = b"pushed", **more) -> Pushed:
    """Push a small image under a tag."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "of": content.decode()}).encode()
    _layer, layer = make_layer("file", content)
    for blob in (config, layer):
        push_blob(http, repository, blob)
    body = manifest_of(config, [layer], **more)
    answer = put_manifest(http, repository, tag, body)
    assert answer.status_code == 201, answer.text
    return Pushed(manifest=body, layer=layer, config=config)
