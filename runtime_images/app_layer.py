"""The application layer: the client's folder under /app, and the working folder."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from runtime_images.stored_layers import find_layer, keep_layer
from runtime_images.tar_layer import NewMember, TarRules, normalise_tar, write_layer_tar
from wheelyard.digests import Digest, key_of
from wheelyard.errors import InputError, NotFound
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

APP_LAYER_FORMAT = 1
"""Raised when the same folder would become another layer; part of its name."""

PLACE = "app"


def make_app_layer(store: Store, app: Digest | None, workdir: str, scratch: Path) -> Layer:
    """Put the application's files under /app, owned by root and readable by all; make the working folder.

    Without an application the layer holds the working folder alone, so that a read-only container can start
    in it. A function of its arguments: kept in the store, and answered from there the next time.

    :param app: digest of an uncompressed tar of regular files, folders and links that stay inside.
    :param workdir: absolute path.
    :param scratch: folder for the tars while they are read.
    :raises NotFound: the store has no such tar.
    :raises InputError: the tar is none, or holds something that must not get into an image.
    """
    key = key_of({"app": None if app is None else str(app), "workdir": workdir, "format": APP_LAYER_FORMAT})
    name = f"records/layers/apps/{key}.json"
    kept = find_layer(store, name)
    if kept is not None:
        return kept
    folders = {
        path: NewMember(path=path, kind=tarfile.DIRTYPE) for path in (PLACE, workdir.strip("/")) if path
    }
    with tempfile.TemporaryDirectory(dir=scratch, prefix="app-") as folder:
        layer_tar = Path(folder) / "layer.tar"
        with layer_tar.open("wb") as target:
            if app is None:
                write_layer_tar(target, folders.values())
            else:
                rules = TarRules(origin="the application folder", place=PLACE, failure=InputError)
                normalise_tar(_fetched(store, app, Path(folder)), target, rules, folders.values())
        return keep_layer(store, name, layer_tar, "application", scratch)


def _fetched(store: Store, app: Digest, folder: Path) -> Path:
    source = folder / "app.tar"
    if not store.fetch_blob(app, source):
        raise NotFound(
            "the application's files are not in the store",
            expected=f"a blob {app}",
            found="nothing",
            do="send the folder again",
            digest=str(app),
        )
    return source
