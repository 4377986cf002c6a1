"""The default toolchain, made once per machine and code, and kept for later sessions."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import PLACE, ToolchainRecord
from wheelyard.toolchains import get_toolchain
from worker.engine.command import CommandEngine
from worker.engine.contract import Engine
from worker.toolchain_images import build_toolchain, ensure_loaded

NAME = "debian12-cp311"
CACHE = Path.home() / ".cache" / "wheelyard-tests"
ROOT = Path(__file__).parents[2]
MAKERS = (
    "infra/toolchains/debian12-cp311.toml",
    "infra/toolchains/tools-cp311.txt",
    "runtime_images/merged_usr.py",
    "wheelyard/oci.py",
    "wheelyard/toolchain_record.py",
    "worker/container_steps.py",
    "worker/debian/__init__.py",
    "worker/debian/bootstrap.py",
    "worker/debian/elf.py",
    "worker/debian/mirror.py",
    "worker/debian/runtime_base.py",
    "worker/debian/stdlib_bytecode.py",
    "worker/layer_tar.py",
    "worker/toolchain_images.py",
    "worker/tools_layer.py",
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A made toolchain, its store, and the engine that has its image."""

    record: ToolchainRecord
    store: FolderStore
    settings: Settings
    engine: Engine


@functools.cache
def made_toolchain(engine: Engine) -> Made:
    """The toolchain out of the cache, or made now."""
    folder = CACHE / _code_digest()
    settings = Settings(data_dir=folder)
    if not (folder / "whole").is_file():
        # Older ones only: the clients of other tests are kept beside them.
        for older in CACHE.glob("[0-9a-f]" * 16):
            shutil.rmtree(older, ignore_errors=True)
        folder.mkdir(parents=True)
        build_toolchain(get_toolchain(NAME), settings, FolderStore(folder / "store"), engine, print)
        (folder / "whole").touch()
    store = FolderStore(folder / "store")
    (name,) = store.list_documents(f"{PLACE}{NAME}/")
    record = ToolchainRecord.from_document(json.loads(store.get_document(name) or b""))
    ensure_loaded(record, store, engine)
    return Made(record=record, store=store, settings=settings, engine=engine)


def remove_images(engine: CommandEngine, *images: str) -> None:
    """Take images of a test out of the engine again; one that is not there is fine."""
    for image in images:
        command = [*engine.traits.command, "rmi", "--force", image]
        subprocess.run(command, capture_output=True, timeout=120, check=False)
    engine.forget_images()


def _code_digest() -> str:
    digest = hashlib.sha256()
    for pattern in MAKERS:
        for place in sorted(ROOT.glob(pattern)):
            digest.update(place.read_bytes())
    return digest.hexdigest()[:16]
