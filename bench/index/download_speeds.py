"""The file that is downloaded, in our index and in S3, and what each way to it gives."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert

from bench.index.corpus import Corpus
from bench.index.downloads import STREAMS, fetch, random_blob
from bench.index.ours import CHANNEL, fill_ours, our_server
from bench.index.served import started
from wheelyard.index_file import IndexFile, Origin
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import FileRow
from wheelyard.settings import Settings
from wheelyard.store.open import open_store

_NAME = "big-1.0-py3-none-any.whl"
_LINK_SECONDS = 3600


def measure_downloads(settings: Settings, folder: Path) -> dict[str, float]:
    """Megabytes a second of S3 itself, of our streams and of our redirects, in one run."""
    folder.mkdir(parents=True, exist_ok=True)
    here = settings.model_copy(
        update={"database_url": f"sqlite:///{folder / 'wheelyard.db'}", "data_dir": folder / "data"}
    )
    corpus = Corpus(files=100)
    took = fill_ours(here, corpus)
    digest, body = random_blob()
    store = open_store(here)
    store.put_blob(body, digest)
    file = IndexFile(
        channel=CHANNEL,
        project="big",
        version="1.0",
        filename=_NAME,
        origin=Origin.UPLOADED,
        digest=digest,
        size=len(body),
        metadata_digest=None,
        published_at=1_764_000_000.0,
    )
    database = Database(here.effective_database_url)
    with database.transaction() as session:
        session.execute(insert(FileRow), [file.to_document()])
    database.close()

    def link() -> str:
        found = store.presigned_url(digest, _NAME, _LINK_SECONDS)
        if found is None:
            raise RuntimeError("the store gives no links")
        return found

    s3 = fetch([link() for _ in range(STREAMS)])
    print(s3.line("S3 itself, by presigned links"))
    speeds = {"s3": s3.megabytes_per_second}
    for way in ("stream", "redirect"):
        server = our_server(here, corpus, took, serve=way)
        with started(server, corpus.hot[0], folder):
            speed = fetch([f"{server.base}/files/{digest.hex}/{_NAME}"] * STREAMS)
        print(speed.line(f"ours, {way}", s3))
        speeds[way] = speed.megabytes_per_second
    return speeds
