"""The store that the settings name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wheelyard.errors import InputError
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.store.folder import FolderStore
from wheelyard.store.loopback import is_loopback

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(settings: Settings) -> Store:
    """The store at `settings.store_url`. Opening S3 makes no request; `Store.check` does.

    :raises InputError: the address is missing or is none of `s3://BUCKET/PREFIX` and `file:///FOLDER`, or
        boto3 is not installed.
    :raises StoreUnavailable: the folder can't be used.
    """
    url = settings.store_url
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and len(parts.path) > 1:
        return FolderStore(Path(unquote(parts.path)))
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or "//" in prefix:
        raise InputError(
            "WHEELYARD_STORE_URL does not name a store",
            expected="s3://BUCKET/PREFIX or file:///FOLDER",
            found=repr(url),
            do="set it, or start the one-machine stack with `wheelyard up`, which brings its own",
        )
    try:
        from wheelyard.store.s3 import S3Store
    except ModuleNotFoundError as error:
        raise InputError(
            "a store in S3 needs boto3, which is not installed", do="pip install 'wheelyard[service]'"
        ) from error
    return S3Store(
        parts.netloc,
        prefix,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        profile=settings.s3_profile,
        path_style=settings.s3_path_style,
        sse=settings.s3_sse,
        sse_kms_key=settings.s3_sse_kms_key,
        disk=settings.data_dir if is_loopback(settings.s3_endpoint) else None,
    )
