"""Notes what a Dockerfile of an assembled image would be made of, for who asks for one later."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runtime_images.layer_contents import LayerContents
from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import contents_of
from wheelyard.digests import canonical_json
from wheelyard.dockerfile_parts import DockerfileParts, LayerFile, dockerfile_document
from wheelyard.errors import StoredOtherBytes
from wheelyard.image_record import ImageRecord
from wheelyard.oci import Layer
from wheelyard.store.contract import Store


def keep_dockerfile_parts(
    store: Store, spec: ImageSpec, record: ImageRecord, base: str, scratch: Path
) -> DockerfileParts:
    """Keep them beside the image's record; safe to repeat.

    :param base: as it was asked for: `slim`, `debug` or a reference with a digest.
    :param scratch: folder for a layer's tar, where it has to be unpacked.
    """
    parts = dockerfile_parts(store, spec, record, base, scratch)
    with suppress(StoredOtherBytes):
        # The same base by another registry's name: the first one's stays.
        store.put_document(dockerfile_document(record.key), canonical_json(parts.to_document()))
    return parts


def dockerfile_parts(
    store: Store, spec: ImageSpec, record: ImageRecord, base: str, scratch: Path
) -> DockerfileParts:
    """The wheels of an image, its layers beside the base and the wheels, and how it is run."""
    bases = {spec.base.digest, *(layer.digest for layer in spec.more_base)}
    *middle, app = [layer for layer in record.layers if layer.digest not in bases]
    contents = [(layer, contents_of(store, layer, scratch)) for layer in middle]
    libraries = [layer for layer, held in contents if not _is_of_wheels(held, spec.scheme.place)]
    tag = spec.python_tag.removeprefix("cp")
    return DockerfileParts(
        image=record.manifest_digest,
        toolchain=spec.toolchain,
        python=f"{tag[0]}.{tag[1:]}",
        policy=spec.policy,
        base=base if "@" in base else "",
        wheels=tuple(sorted(record.wheels)),
        below=_files(libraries),
        above=_files([app]),
        environment=record.environment,
        labels=spec.labels,
        workdir=spec.workdir,
        user=spec.user,
        ports=spec.ports,
        healthcheck=spec.healthcheck,
        entrypoint=spec.entrypoint,
        command=spec.command,
        bytecode=spec.bytecode,
        docker_format=spec.format == "docker",
    )


def _is_of_wheels(contents: LayerContents, place: str) -> bool:
    """Whether a layer holds wheels, one or a group of them, and nothing else."""
    files = [path for path, entry in contents.entries.items() if entry.kind != "folder"]
    return all(path.startswith(f"{place}/") for path in files) and any(
        path.endswith(".dist-info/METADATA") for path in files
    )


def _files(layers: Sequence[Layer]) -> tuple[LayerFile, ...]:
    return tuple(
        LayerFile(title=layer.title, digest=layer.digest, media_type=layer.media_type) for layer in layers
    )
