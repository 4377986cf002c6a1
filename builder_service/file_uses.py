"""Which files were taken lately, noted once a day for those who forget what nobody uses."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

import structlog

from wheelyard.catalogue import USE_SECONDS, Catalogue
from wheelyard.errors import InfrastructureError
from wheelyard.index_file import IndexFile

_MOST_REMEMBERED = 100_000
logger = structlog.get_logger("file uses")


class FileUses:
    """Notes the use of files, after the answer was sent. Safe to share between threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_news(self, file: IndexFile) -> bool:
        """Whether this process has not noted the file's use for a day; from now on it has."""
        key, now = (file.digest.hex, file.filename), time.monotonic()
        with self._lock:
            if now - self._noted.get(key, float("-inf")) < USE_SECONDS:
                return False
            self._noted[key] = now
            self._noted.move_to_end(key)
            if len(self._noted) > _MOST_REMEMBERED:
                self._noted.popitem(last=False)
        return True

    def note(self, file: IndexFile) -> None:
        """Note it in the database; where that is out, the next day will do."""
        try:
            self._catalogue.note_use(file.digest, file.filename)
        except InfrastructureError as error:
            logger.warning("the use of a file was not noted", file=file.filename, found=error.found)
