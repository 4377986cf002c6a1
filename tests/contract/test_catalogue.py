"""The catalogue on every database: a file is shown once, whoever adds it at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.index_file import IndexFile, Origin

FILE = IndexFile(
    channel="default", project="demo", version="1.0", filename="demo-1.0-py3-none-any.whl",
    origin=Origin.UPLOADED, digest=Digest.of(b"demo"), size=4, metadata_digest=None, uploader="ada",
    published_at=1_000_000.0,
)  # fmt: skip


def test_what_is_added_is_shown_as_it_was_and_again_is_a_no_op(database):
    catalogue = Catalogue(database)
    for _ in range(2):
        with database.transaction() as session:
            catalogue.add(session, FILE)
    assert catalogue.files("default", "Demo") == [FILE]


def test_several_that_add_the_same_file_at_the_same_time_all_succeed(database):
    catalogue, gate = Catalogue(database), threading.Barrier(8)

    def add(_number):
        gate.wait()
        with database.transaction() as session:
            catalogue.add(session, FILE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert catalogue.files("default") == [FILE]
