"""An image out of a registry, of a toolchain or a base: pulled by digest, taken apart into its layers."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelyard.errors import EngineFailed, InputError
from wheelyard.settings import Settings
from wheelyard.toolchains import Toolchain
from worker.engine.contract import ContainerSpec, Engine

MEMORY = 512 << 20
_QUERY = """\
if [ -x /usr/bin/dpkg-query ]; then dpkg-query --show --showformat '${Package} ${Version}\\n'
elif [ -x /usr/bin/rpm ]; then rpm --query --all --queryformat '%{NAME} %{VERSION}-%{RELEASE}\\n'; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledImage:
    """An image in the engine, and its layers as files.

    :param image: its id.
    :param layers: uncompressed tar streams, bottom first, as the image has them.
    :param environment: variables that its config sets.
    """

    image: str
    layers: tuple[Path, ...]
    environment: Mapping[str, str]


def reference_of(toolchain: Toolchain, settings: Settings) -> str:
    """Where a toolchain's image is pulled from: the registry of the settings, and the name in its file.

    :raises InputError: the settings name no registry.
    """
    if not settings.image_registry:
        raise InputError(
            f"the toolchain {toolchain.name} is pulled from a registry, and none is set",
            expected="WHEELYARD_IMAGE_REGISTRY with the host, and port, of a registry that has it",
            found=toolchain.image,
            do="set it, or take a toolchain that is made from Debian packages, for instance debian12-cp311",
        )
    return f"{_host(settings)}/{toolchain.image}"


def base_reference(base: str, settings: Settings) -> str:
    """Where an image's base is pulled from: the registry of the settings, whatever client names it.

    :param base: `REPOSITORY@sha256:…`; a host before it must be that registry's, so that nobody who may ask
        for an image can send the worker to other hosts.
    :raises InputError: the settings name no registry, or the base names another one.
    """
    if not settings.image_registry:
        raise InputError(
            f"the base {base} is pulled from a registry, and none is set",
            expected="WHEELYARD_IMAGE_REGISTRY with the host, and port, of a registry that has it",
            do="set it, or take slim or debug",
        )
    first, _, rest = base.partition("/")
    names_host = bool(rest) and ("." in first or ":" in first or first == "localhost")
    if names_host and first != _host(settings):
        raise InputError(
            f"the base {base} is of another registry",
            expected=f"a repository of {_host(settings)}, which WHEELYARD_IMAGE_REGISTRY names",
            found=first,
            do="copy it to that registry, or name it without a host",
        )
    repository, _, digest = (rest if names_host else base).partition("@")
    # A tag beside the digest is for people; engines differ in whether they take both.
    folder, slash, name = repository.rpartition("/")
    return f"{_host(settings)}/{folder}{slash}{name.partition(':')[0]}@{digest}"


def _host(settings: Settings) -> str:
    return settings.image_registry.removeprefix("https://").removeprefix("http://").rstrip("/")


def pull_image(toolchain: Toolchain, settings: Settings, engine: Engine, work: Path) -> PulledImage:
    """Pull a toolchain's image, and write its layers into files.

    :param work: an empty folder for them; the image's size is needed twice for a while.
    :raises InputError: the settings name no registry.
    :raises EngineFailed: it can't be pulled, or what the engine saved can't be read.
    """
    return pull_reference(reference_of(toolchain, settings), engine, work)


def pull_reference(reference: str, engine: Engine, work: Path) -> PulledImage:
    """Pull any image, and write its layers into files.

    :param reference: `HOST/REPOSITORY@sha256:…`.
    :param work: an empty folder for them; the image's size is needed twice for a while.
    :raises EngineFailed: it can't be pulled, or what the engine saved can't be read.
    """
    image = engine.pull(reference)
    archive = work / "pulled.tar"
    engine.save(image, archive)
    try:
        with tarfile.open(archive, mode="r:") as tar:
            (entry,) = json.loads(_read(tar, "manifest.json"))
            config: dict[str, Any] = json.loads(_read(tar, entry["Config"]))
            layers = tuple(
                _copy(tar, name, work / f"pulled-{n}.tar") for n, name in enumerate(entry["Layers"])
            )
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise EngineFailed(
            f"{engine.name} saved an image that can't be read", expected="a docker archive", found=str(error)
        ) from error
    archive.unlink()
    variables = (line.partition("=")[::2] for line in (config.get("config") or {}).get("Env") or ())
    return PulledImage(image=image, layers=layers, environment=dict(variables))


def packages_in(toolchain: Toolchain, image: str, engine: Engine) -> dict[str, str]:
    """Name to version of an image's packages, asked of its own package database (dpkg or rpm)."""
    lines: list[str] = []
    spec = ContainerSpec(image=image, job=f"toolchain-{toolchain.name}", owner="toolchain", memory=MEMORY)
    with engine.start(spec) as container:
        container.run(["/bin/sh", "-c", _QUERY], on_line=lines.append, timeout=120)
    rows = (line.split(" ") for line in lines)
    return {row[0]: row[1] for row in rows if len(row) == 2}


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream.read()


def _copy(tar: tarfile.TarFile, name: str, target: Path) -> Path:
    # Engines write a layer that two images share as a link to its first place; extractfile follows it.
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    with target.open("wb") as out:
        while chunk := stream.read(1 << 20):
            out.write(chunk)
    return target
