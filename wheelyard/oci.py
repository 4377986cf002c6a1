"""OCI and docker image documents and archives: layers, config, manifest, layout, docker archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from wheelyard.digests import Digest, DigestingWriter, canonical_json
from wheelyard.errors import InputError, StoreUnavailable
from wheelyard.health_check import HealthCheck
from wheelyard.whole_file import whole_file

MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MEDIA_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
MEDIA_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
MEDIA_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MEDIA_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
HEALTH_LABEL = "wheelyard.healthcheck"
"""Where an OCI image keeps its health check: as the JSON of docker's field, which OCI's config lacks."""
REF_NAME = "org.opencontainers.image.ref.name"
EPOCH = "1970-01-01T00:00:00Z"
_LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})

BlobOpener = Callable[[Digest], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One compressed layer of an image.

    :param digest: of the compressed bytes.
    :param diff_id: digest of the tar stream inside.
    :param size: of the compressed bytes.
    :param unpacked: of the tar stream, in bytes.
    :param title: what it holds, for people: `numpy 2.4.6`, `base debian12-cp311`.
    :param media_type: how it is compressed, as OCI manifests say it.
    """

    digest: Digest
    diff_id: Digest
    size: int
    unpacked: int
    title: str
    media_type: str = MEDIA_LAYER

    def to_document(self) -> dict[str, Any]:
        """The layer as JSON-serialisable fields; those of the usual gzip layer do not say so."""
        document: dict[str, Any] = {
            "digest": str(self.digest),
            "diff_id": str(self.diff_id),
            "size": self.size,
            "unpacked": self.unpacked,
            "title": self.title,
        }
        return document if self.media_type == MEDIA_LAYER else {**document, "media_type": self.media_type}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Layer:
        """Inverse of `to_document`."""
        return cls(
            digest=Digest.parse(document["digest"]),
            diff_id=Digest.parse(document["diff_id"]),
            size=document["size"],
            unpacked=document["unpacked"],
            title=document["title"],
            media_type=document.get("media_type", MEDIA_LAYER),
        )


def compress_layer(tar: IO[bytes], target: IO[bytes], title: str, level: int = 6) -> Layer:
    """Gzip a tar stream into a layer with the same bytes every time (no name, no time in the header).

    :param tar: the uncompressed tar stream.
    :param target: where the compressed bytes go.
    :param level: zlib's, 1 (fast) to 9 (small).
    """
    compressed = DigestingWriter(target)
    with gzip.GzipFile(filename="", mode="wb", fileobj=compressed, compresslevel=level, mtime=0) as packer:
        plain = DigestingWriter(cast("IO[bytes]", packer))
        while chunk := tar.read(1 << 20):
            plain.write(chunk)
    return Layer(
        digest=compressed.digest, diff_id=plain.digest, size=compressed.size, unpacked=plain.size, title=title
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What an image's config says of how it runs (OCI image configuration)."""

    user: str = "1000:1000"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    workdir: str = "/app"
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    healthcheck: HealthCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image's two documents and its layers, bottom first."""

    config: bytes
    manifest: bytes
    layers: tuple[Layer, ...]

    @property
    def id(self) -> Digest:
        """The image id: digest of its config, as docker and podman name it."""
        return Digest.of(self.config)

    @property
    def digest(self) -> Digest:
        """Digest of its manifest, as registries name it."""
        return Digest.of(self.manifest)

    @property
    def media_type(self) -> str:
        """What its manifest calls itself."""
        return str(json.loads(self.manifest)["mediaType"])


def make_image(
    layers: Sequence[Layer], runtime: Runtime, architecture: str = "amd64", *, docker: bool = False
) -> Image:
    """Config and manifest over layers, a pure function of its arguments.

    :param layers: bottom first.
    :param architecture: GOARCH name.
    :param docker: whether they are in docker's own format (v2, schema 2), which has a field for a health
        check; in OCI's a label keeps it.
    :raises InputError: docker's format has no name for the way in which a layer is compressed.
    """
    labels = dict(runtime.labels)
    settings: dict[str, Any] = {
        "Env": sorted(f"{name}={value}" for name, value in runtime.environment.items()),
        "WorkingDir": runtime.workdir,
        "User": runtime.user,
    }
    if runtime.entrypoint:
        settings["Entrypoint"] = list(runtime.entrypoint)
    if runtime.command:
        settings["Cmd"] = list(runtime.command)
    if runtime.ports:
        settings["ExposedPorts"] = {port: {} for port in runtime.ports}
    if runtime.healthcheck is not None and docker:
        settings["Healthcheck"] = runtime.healthcheck.to_config()
    elif runtime.healthcheck is not None:
        labels[HEALTH_LABEL] = canonical_json(runtime.healthcheck.to_config()).decode()
    if labels:
        settings["Labels"] = labels
    config = canonical_json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": EPOCH,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            "history": [{"created": EPOCH, "created_by": layer.title} for layer in layers],
        }
    )
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_DOCKER_MANIFEST if docker else MEDIA_MANIFEST,
            "config": {
                "mediaType": MEDIA_DOCKER_CONFIG if docker else MEDIA_CONFIG,
                "digest": str(Digest.of(config)),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": _docker_layer(layer) if docker else layer.media_type,
                    "digest": str(layer.digest),
                    "size": layer.size,
                }
                for layer in layers
            ],
        }
    )
    return Image(config=config, manifest=manifest, layers=tuple(layers))


def _docker_layer(layer: Layer) -> str:
    """The name of a layer's media type in docker's format."""
    if layer.media_type != MEDIA_LAYER:
        raise InputError(
            f"docker's format has no name for the layer {layer.title!r}",
            expected="gzip layers",
            found=layer.media_type,
            do="ask for format oci, or for compression gzip",
        )
    return MEDIA_DOCKER_LAYER


class CheckedBlob:
    """A layer's bytes on their way out: hashed, and refused at their end where they are other ones."""

    def __init__(self, layer: Layer, stream: BinaryIO) -> None:
        self._layer = layer
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Bytes as they come."""
        chunk = self._stream.read(size)
        self._hash.update(chunk)
        return chunk

    def check(self) -> None:
        """See, once all are read, that they are the layer's.

        :raises StoreUnavailable: they are other ones, or there are more of them.
        """
        found = self._hash.hexdigest()
        if found != self._layer.digest.hex or self._stream.read(1):
            raise StoreUnavailable(
                f"the stored bytes of the layer {self._layer.title!r} are not the ones that the image names",
                expected=str(self._layer.digest),
                found=f"sha256:{found}, or more bytes than {self._layer.size}",
                do="check the store's disk, delete that blob, and ask for the image again",
                digest=str(self._layer.digest),
            )


def _add(tar: tarfile.TarFile, name: str, size: int, stream: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    tar.addfile(member, stream)


def _add_layer(tar: tarfile.TarFile, name: str, layer: Layer, open_blob: BlobOpener) -> None:
    with open_blob(layer.digest) as stream:
        checked = CheckedBlob(layer, stream)
        try:
            _add(tar, name, layer.size, cast("IO[bytes]", checked))
        except OSError as error:
            # tarfile says so of a stream that ends too early; a full disk has another number.
            if error.errno is not None:
                raise
        checked.check()


def write_docker_archive(
    target: IO[bytes], image: Image, open_blob: BlobOpener, tags: Sequence[str] = ()
) -> None:
    """Write what `docker load` and `podman load` read: manifest.json, the config, and each layer once.

    :param target: any writable stream; it is not seeked.
    :param open_blob: opens a layer's compressed bytes.
    :param tags: `NAME:TAG` that the image gets when it is loaded.
    :raises StoreUnavailable: a layer's bytes are not the ones that the image names; the archive is broken.
    """
    config_name = f"{image.id.hex}.json"
    layer_names = [f"{layer.digest.hex}.tar.gz" for layer in image.layers]
    index = [{"Config": config_name, "RepoTags": list(tags) or None, "Layers": layer_names}]
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for document, name in ((canonical_json(index), "manifest.json"), (image.config, config_name)):
            _add(tar, name, len(document), io.BytesIO(document))
        for layer in {layer.digest: layer for layer in image.layers}.values():
            _add_layer(tar, f"{layer.digest.hex}.tar.gz", layer, open_blob)


def write_oci_layout(folder: Path, image: Image, open_blob: BlobOpener, tag: str = "") -> None:
    """Write an OCI image layout (image-spec 1.1), or add to one; may be repeated.

    Blobs that are there with their size are left alone, and so are the other images of a layout.

    :param folder: made where it is missing.
    :param open_blob: opens a layer's compressed bytes.
    :param tag: becomes the annotation `org.opencontainers.image.ref.name`, and is taken from another image.
    :raises InputError: the folder holds other things and is no layout.
    :raises StoreUnavailable: a layer's bytes are not the ones that the image names.
    """
    others = _other_images(folder, image, tag)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for document in (image.config, image.manifest):
        _write_whole(blobs / Digest.of(document).hex, document)
    for layer in image.layers:
        place = blobs / layer.digest.hex
        if place.is_file() and place.stat().st_size == layer.size:
            continue
        with open_blob(layer.digest) as stream, whole_file(place) as out:
            checked = CheckedBlob(layer, stream)
            remaining = layer.size
            while remaining and (chunk := checked.read(min(1 << 20, remaining))):
                out.write(chunk)
                remaining -= len(chunk)
            checked.check()
    _write_whole(folder / "oci-layout", _LAYOUT)
    _write_whole(folder / "index.json", _index([*others, _entry(image, tag)]))


def write_oci_archive(target: IO[bytes], image: Image, open_blob: BlobOpener, tag: str = "") -> None:
    """Write an OCI image layout as one tar: what `podman load` and `skopeo` read as `oci-archive`.

    :param target: any writable stream; it is not seeked.
    :param open_blob: opens a layer's compressed bytes.
    :param tag: becomes the annotation `org.opencontainers.image.ref.name`.
    :raises StoreUnavailable: a layer's bytes are not the ones that the image names; the archive is broken.
    """
    documents = {
        "oci-layout": _LAYOUT,
        "index.json": _index([_entry(image, tag)]),
        f"blobs/sha256/{image.digest.hex}": image.manifest,
        f"blobs/sha256/{image.id.hex}": image.config,
    }
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for name, document in documents.items():
            _add(tar, name, len(document), io.BytesIO(document))
        for layer in {layer.digest: layer for layer in image.layers}.values():
            _add_layer(tar, f"blobs/sha256/{layer.digest.hex}", layer, open_blob)


def _entry(image: Image, tag: str) -> dict[str, Any]:
    """An image in a layout's index."""
    return {
        "mediaType": image.media_type,
        "digest": str(image.digest),
        "size": len(image.manifest),
        **({"annotations": {REF_NAME: tag}} if tag else {}),
    }


def _index(entries: Sequence[Mapping[str, Any]]) -> bytes:
    return canonical_json({"schemaVersion": 2, "mediaType": MEDIA_INDEX, "manifests": list(entries)})


def _other_images(folder: Path, image: Image, tag: str) -> list[dict[str, Any]]:
    """Entries of a layout's index that stay when this image comes."""
    if not folder.exists() or not any(folder.iterdir()):
        return []
    try:
        index = json.loads((folder / "index.json").read_bytes())
        entries = list(index["manifests"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the folder {folder} is not empty and is no OCI image layout",
            expected="an empty folder, a new one, or a layout with an index.json",
            found=str(error)[:200],
            do="name another folder",
        ) from error
    return [
        entry
        for entry in entries
        if entry.get("digest") != str(image.digest)
        and (not tag or entry.get("annotations", {}).get(REF_NAME) != tag)
    ]


def _write_whole(place: Path, body: bytes) -> None:
    with whole_file(place) as out:
        out.write(body)
