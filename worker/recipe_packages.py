"""Debian packages of a recipe: locked by apt's own solver, and laid over the toolchain's compile image."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wheelyard.digests import Digest
from wheelyard.errors import InputError, StoredOtherBytes, StoreUnavailable
from wheelyard.oci import Image, Runtime, make_image
from wheelyard.package_lock import (
    PackageLock,
    PackagesImage,
    image_name,
    keep_lock,
    load_lock,
    parse_package,
)
from wheelyard.toolchains import Debian, Toolchain
from worker.context import Work
from worker.debian.deb_layer import STATUS, make_packages_tar
from worker.debian.mirror import find_mirror
from worker.debian.private_apt import Deb, PrivateApt
from worker.engine.contract import ContainerSpec
from worker.kept_image import keep_documents, keep_layer, kept_image, load_image
from worker.toolchain_images import COMPILE_LEVEL, COMPILE_MTIME
from worker.toolchain_job import ReadyToolchain

_MAX_STATUS_BYTES = 64 << 20
_MEMORY = 256 << 20


def lock_packages(work: Work, ready: ReadyToolchain, names: Sequence[str]) -> dict[str, str]:
    """Packages and all that they need beyond the toolchain, each as `VERSION sha256:…`.

    The first answer for a compile image holds. The packages' files are in the store afterwards. What is in
    the toolchain already is not among them, so that the answer may be empty.

    :param names: as the recipe has them.
    :raises InputError: the toolchain is not made from Debian packages, its release has no such package, or
        a package can't be added to it.
    :raises InfrastructureError: the mirror does not answer.
    """
    if not names:
        return {}
    store, image = work.services.store, ready.record.image
    debian = _debian_of(ready.toolchain, names)
    known = load_lock(store, image, names)
    if known is None:
        apt = private_apt(work, debian)
        work.log.line(f"asking Debian {debian.suite} for {', '.join(sorted(set(names)))}")
        debs = {deb.name: deb for deb in apt.solve(sorted(set(names)), _status_of(work, ready))}
        bring_into_store(work, apt, debs.values())
        lock = PackageLock(
            toolchain=image,
            suite=debian.suite,
            names=tuple(sorted(set(names))),
            packages={name: f"{deb.version} {deb.digest}" for name, deb in sorted(debs.items())},
        )
        known = keep_lock(store, lock)
        size = sum(deb.size for deb in debs.values())
        work.log.line(f"{len(debs)} packages, {size >> 10} KiB, are added to {ready.toolchain.name}")
    return dict(known.packages)


def image_with_packages(work: Work, ready: ReadyToolchain, packages: Mapping[str, str]) -> str:
    """The toolchain's compile image with packages on top, loaded into the engine; returns its image id.

    It is made once: the same packages over the same image are the same layer.

    :param packages: as `lock_packages` returned them; none means the toolchain's own image.
    :raises InfrastructureError: a package is lost and can't be had again, or the engine or the store fails.
    """
    if not packages:
        return ready.image
    store, engine = work.services.store, work.services.engine
    place = image_name(ready.record.image, packages)
    body = store.get_document(place)
    if body is not None:
        known = PackagesImage.from_document(json.loads(body))
        if engine.has_image(known.image):
            return known.image
        parts = (Digest.parse(known.image), Digest.parse(known.manifest), known.layer.digest)
        if all(store.renew_blob(part) is not None for part in parts):
            layers = (*ready.record.layers, known.layer)
            image = kept_image(store, known.image, known.manifest, layers)
            return load_image(store, engine, image, _tag(ready.toolchain, image))
    image = _make_image(work, ready, packages)
    record = PackagesImage(
        toolchain=ready.record.image,
        packages=packages,
        image=str(image.id),
        manifest=str(image.digest),
        layer=image.layers[-1],
    )
    with suppress(StoredOtherBytes):
        # Another worker made it first, or parts of it were lost; this one is as good.
        store.put_document(place, json.dumps(record.to_document(), sort_keys=True).encode())
    return load_image(store, engine, image, _tag(ready.toolchain, image))


def private_apt(work: Work, debian: Debian) -> PrivateApt:
    """The apt of a toolchain's release, in this worker's own folder."""
    settings = work.services.settings
    folder = settings.data_dir / "apt" / debian.suite
    return PrivateApt(debian.suite, find_mirror(settings), folder, work.check)


def debian_of(toolchain: Toolchain, what: str) -> Debian:
    """The Debian release of a toolchain.

    :param what: that needs it, for the error.
    :raises InputError: it is not made from Debian packages.
    """
    if toolchain.debian is None:
        raise InputError(
            f"{what} can't be had with the toolchain {toolchain.name}",
            expected="a toolchain that is made from Debian packages, for instance debian12-cp311",
            found=f"one that is pulled from a registry: {toolchain.image}",
            do="take another toolchain, or a variant of the recipe that needs no packages",
        )
    return toolchain.debian


def _debian_of(toolchain: Toolchain, names: Sequence[str]) -> Debian:
    return debian_of(toolchain, f"the recipe's packages ({', '.join(sorted(set(names)))})")


def _status_of(work: Work, ready: ReadyToolchain) -> str:
    """The status of dpkg in the compile image, read out of a container of it."""
    spec = ContainerSpec(image=ready.image, job=work.claim.id, owner=work.services.owner, memory=_MEMORY)
    text = io.BytesIO()
    with work.services.engine.start(spec) as container, work.watching(container):
        container.read_file(f"/{STATUS}", text, _MAX_STATUS_BYTES)
    return text.getvalue().decode()


def bring_into_store(work: Work, apt: PrivateApt, debs: Iterable[Deb]) -> None:
    """Keep the packages' files as blobs, as far as they are not there."""
    store = work.services.store
    lost = [deb for deb in debs if store.renew_blob(deb.digest) is None]
    with tempfile.TemporaryDirectory(prefix="debs-", dir=work.scratch) as folder:
        for name, place in apt.download(lost, Path(folder)).items():
            store.put_blob(place, next(deb.digest for deb in lost if deb.name == name))


def _make_image(work: Work, ready: ReadyToolchain, packages: Mapping[str, str]) -> Image:
    store = work.services.store
    work.log.line(f"adding {len(packages)} packages to {ready.toolchain.name}: {', '.join(sorted(packages))}")
    with tempfile.TemporaryDirectory(prefix="packages-", dir=work.scratch) as folder:
        place = Path(folder)
        debs = _fetch(work, ready, packages, place / "debs")
        tar = make_packages_tar(debs, _status_of(work, ready), place, COMPILE_MTIME)
        title = f"packages: {', '.join(sorted(packages))}"
        layer = keep_layer(store, tar, title, COMPILE_LEVEL)
    below = kept_image(store, ready.record.image, ready.record.manifest, ready.record.layers)
    image = make_image([*ready.record.layers, layer], _runtime_of(below))
    keep_documents(store, image)
    return image


def _fetch(work: Work, ready: ReadyToolchain, packages: Mapping[str, str], folder: Path) -> list[Path]:
    """The packages' files out of the store; one that it lost comes from the mirror again, by its digest."""
    parsed = {name: parse_package(entry) for name, entry in packages.items()}
    debs = [Deb(name=name, version=version, digest=digest) for name, (version, digest) in parsed.items()]
    store = work.services.store
    if any(store.blob_size(deb.digest) is None for deb in debs):
        bring_into_store(work, private_apt(work, _debian_of(ready.toolchain, list(packages))), debs)
    folder.mkdir()
    places = []
    for deb in debs:
        place = folder / f"{deb.name}.deb"
        if not store.fetch_blob(deb.digest, place):
            raise StoreUnavailable(f"the package {deb.name} {deb.version} is lost", expected=str(deb.digest))
        places.append(place)
    return places


def _runtime_of(image: Image) -> Runtime:
    """How an image runs, read back out of its config."""
    config = json.loads(image.config)["config"]
    return Runtime(
        user=config["User"],
        entrypoint=tuple(config.get("Entrypoint", ())),
        command=tuple(config.get("Cmd", ())),
        workdir=config["WorkingDir"],
        environment=dict(line.partition("=")[::2] for line in config["Env"]),
        labels=config.get("Labels", {}),
    )


def _tag(toolchain: Toolchain, image: Image) -> str:
    return f"localhost/wheelyard/{toolchain.name}:packages-{image.id.hex[:12]}"
