"""Images of the store in the engine of this host: brought when they are needed, given back later."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import structlog

from wheelyard.errors import EngineFailed
from wheelyard.image_record import blob_opener
from wheelyard.loopback_registry import LoopbackRegistry
from wheelyard.oci import Image, write_docker_archive
from wheelyard.store.contract import Store
from worker.engine.contract import Engine

KEPT = 16
"""Images that stay for the layers that the next one shares with them; more than are tested at once."""

logger = structlog.get_logger("worker.engine_images")


class EngineImages:
    """Runtime images that this host's workers brought into their engine. Safe to use from several processes.

    :param folder: of the host's own data; a file for each image that is there for our sake, with the name
        that the engine has for it.
    :param kept: images that stay.
    """

    def __init__(self, engine: Engine, store: Store, folder: Path, kept: int = KEPT) -> None:
        self._engine = engine
        self._store = store
        self._folder = folder
        self._kept = kept

    def bring(self, image: Image) -> str:
        """Bring an image into the engine, as far as it lacks it; returns its id there.

        It gets a name of its own. Where somebody else has it there, too, that name alone goes away later.

        :raises EngineFailed: the engine does not take it.
        :raises StoreUnavailable: a layer is not in the store.
        """
        place = self._folder / image.id.hex
        if not (_renewed(place) and self._engine.has_image(str(image.id))):
            self._pull(image, place)
        self._give_back()
        return str(image.id)

    def _pull(self, image: Image, place: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        registry = LoopbackRegistry(image, blob_opener(self._store))
        with registry.serving():
            # First the name, then the image: one that a dead worker left is found by it.
            place.write_text(registry.exact_reference)
            try:
                found = self._engine.pull(registry.exact_reference)
            except EngineFailed as error:
                logger.info("the engine can't pull from this process; it gets an archive", error=str(error))
                found = ""
        if found != str(image.id):
            self._load(image, place)

    def _load(self, image: Image, place: Path) -> None:
        """Send all of it, to an engine that is on another machine or does not take this kind of layers."""
        name = f"localhost/wheelyard/tested:{image.id.hex[:12]}"
        place.write_text(name)
        with tempfile.TemporaryDirectory(prefix="wheelyard-load-") as folder:
            archive = Path(folder) / "image.tar"
            with archive.open("wb") as target:
                write_docker_archive(target, image, blob_opener(self._store), tags=(name,))
            self._engine.load(archive)

    def _give_back(self) -> None:
        if not self._folder.is_dir():
            return
        known = []
        for place in self._folder.iterdir():
            with suppress(FileNotFoundError):
                known.append((place.stat().st_mtime, place))
        for _, place in sorted(known, reverse=True)[self._kept :]:
            try:
                self._engine.drop(place.read_text())
                place.unlink()
            except FileNotFoundError:
                continue
            except EngineFailed as error:
                # Its turn comes again after the next test.
                logger.warning("a tested image can't be removed", image=place.name[:12], error=str(error))


def _renewed(place: Path) -> bool:
    """Whether an image is among the ones that were brought; it is the newest of them from here on."""
    try:
        os.utime(place)
    except FileNotFoundError:
        return False
    return True
