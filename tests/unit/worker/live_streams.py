"""Streams in memory that keep the contract of `EventStream.append`, and that a test can lose or take away."""

import threading
from itertools import count

from wheelyard.errors import QueueUnavailable
from wheelyard.events import Appended


class LiveStreams:
    """What a Redis would hold: entries by stream, and each job's last number in it."""

    def __init__(self, *, out=False):
        self.out = out
        self.streams = {}
        self._last = {}
        self._ids = count(1)
        self._lock = threading.Lock()

    def append(self, stream, job, events, after):
        with self._lock:
            if self.out:
                raise QueueUnavailable("Redis does not answer", found="it is out")
            last = self._last.get((stream, job), 0)
            if last < after:
                return Appended(last=last)
            ids = []
            for given, event in events:
                ids.append("")
                if event.seq > last:
                    ids[-1] = given or f"{next(self._ids)}-0"
                    self.streams.setdefault(stream, []).append((ids[-1], event))
                    last = self._last[stream, job] = event.seq
            return Appended(last=last, ids=tuple(ids))

    def lose(self):
        """Forget all, as a Redis that restarts empty does."""
        with self._lock:
            self.streams, self._last = {}, {}

    def told(self, stream):
        """The events of a stream."""
        return [event for _entry, event in self.streams.get(stream, [])]

    def texts(self, stream):
        """What its lines say."""
        return [event.facts["text"] for event in self.told(stream) if event.type == "line"]
