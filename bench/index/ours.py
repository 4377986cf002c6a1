"""Our own index, filled through its catalogue's tables, and its front door."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

from sqlalchemy import insert

from bench.index.corpus import Corpus
from bench.index.served import Server
from bench.real_servers import front_door
from wheelyard.digests import Digest
from wheelyard.index_file import IndexFile, Origin
from wheelyard.jobs.database import Database
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.models import FileRow
from wheelyard.settings import Settings
from wheelyard.stack.ports import free_ports
from wheelyard.store.open import open_store

ROOT = Path(__file__).parents[2]
CHANNEL = "default"
_ROWS_AT_ONCE = 5000


def fill_ours(settings: Settings, corpus: Corpus) -> float:
    """Fill the database of those settings; gives the seconds that it took.

    The rows are those of uploads, put in many at a time: the pages are made of nothing else.
    """
    began = time.perf_counter()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate(settings.effective_database_url)
    store, database = open_store(settings), Database(settings.effective_database_url)
    wheel, metadata = corpus.wheel, corpus.metadata
    for body in (wheel, metadata):
        store.put_blob(body, Digest.of(body))
    entries = (
        IndexFile(
            channel=CHANNEL,
            project=entry.project,
            version=entry.version,
            filename=entry.filename,
            origin=Origin.UPLOADED,
            digest=Digest.of(wheel),
            size=len(wheel),
            requires_python=">=3.9",
            metadata_digest=Digest.of(metadata),
            published_at=1_764_000_000.0,
        ).to_document()
        for entry in corpus
    )
    while rows := list(islice(entries, _ROWS_AT_ONCE)):
        with database.transaction() as session:
            session.execute(insert(FileRow), rows)
    database.close()
    return time.perf_counter() - began


def our_server(settings: Settings, corpus: Corpus, fill_seconds: float, *, serve: str = "stream") -> Server:
    """The front door over those settings, as a process of its own.

    :param serve: how it gives files: `stream` or `redirect`.
    """
    (port,) = free_ports(1)
    return Server(
        name="ours",
        program=front_door("ours", settings.model_copy(update={"serve_files": serve}), port),
        port=port,
        simple="/simple/",
        files=corpus.files,
        fill_seconds=round(fill_seconds, 1),
        note="one process; Redis and the S3 server are others",
    )
