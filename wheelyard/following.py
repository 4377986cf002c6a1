"""Following a job: its events one after the other, over connections that may be cut, until its end."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator

import httpx2

from wheelyard.answers import JobAnswer
from wheelyard.client import Client, ServiceUnreachable
from wheelyard.errors import InfrastructureError, NotFound, WheelyardError
from wheelyard.event import Event, Seen

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_SILENCE_SECONDS = 45.0
_TICK_SECONDS = 0.2
_ASK_SECONDS = 30.0
_LAST_LOOKS = 3


class Following:
    """A job's events, read in a thread of its own, so that the reader can look at the clock and at Ctrl-C.

    Each event comes once, whatever was cut or lost in between: a repeat is known by its number.

    :param client: where the job is.
    :param job_id: the job; events of the jobs that it waits for come too.
    :param give_up_seconds: how long the service may stay away before following ends.
    :param on_trouble: told of each lost connection and, with an empty text, of its return.
    :param clock: seconds that only go forward.
    """

    def __init__(
        self,
        client: Client,
        job_id: str,
        *,
        give_up_seconds: float = 120.0,
        on_trouble: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._give_up_seconds = give_up_seconds
        self._on_trouble = on_trouble or (lambda _text: None)
        self._clock = clock
        self._arrivals: queue.SimpleQueue[Event | WheelyardError | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._last_id = ""
        self._seen = Seen()

    def events(self) -> Iterator[Event | None]:
        """Events until the job's own `done`; None a few times a second, so that the caller can look up.

        The end comes without a `done`, too, where the service says that the job ended; it is asked then.

        :raises ServiceUnreachable: the service stayed away for too long.
        :raises WheelyardError: the service refused; a job that does not exist, a token that it does not know.
        """
        reader = threading.Thread(target=self._read_all, name="wheelyard-events", daemon=True)
        reader.start()
        heard = self._clock()
        try:
            while True:
                try:
                    arrival = self._arrivals.get(timeout=_TICK_SECONDS)
                except queue.Empty:
                    # A server that lost its streams would stay silent for ever about a job that ended.
                    if self._clock() - heard > _ASK_SECONDS:
                        heard = self._clock()
                        if self._job_ended():
                            return
                    yield None
                    continue
                heard = self._clock()
                if arrival is None:
                    return
                if isinstance(arrival, WheelyardError):
                    raise arrival
                yield arrival
        finally:
            self._stop.set()

    # -- in the reader's thread ----------------------------------------------------------------------

    def _read_all(self) -> None:
        try:
            self._read_until_done()
            self._arrivals.put(None)
        except WheelyardError as error:
            self._arrivals.put(error)
        except Exception as error:  # noqa: BLE001 - a thread that dies without a word would hang the command
            self._arrivals.put(
                InfrastructureError(
                    "the job's events can't be read", found=f"{type(error).__name__}: {error}"
                )
            )

    def _read_until_done(self) -> None:
        pause, lost_since, last_looks = _FIRST_PAUSE, self._clock(), 0
        while not self._stop.is_set():
            before = self._last_id
            try:
                if self._read_connection():
                    return
                trouble: WheelyardError = ServiceUnreachable(
                    f"the service at {self._client.url} ended the event stream"
                )
            except NotFound:
                raise
            except InfrastructureError as error:
                trouble = error
            if self._last_id != before:
                pause, lost_since, last_looks = _FIRST_PAUSE, self._clock(), 0
            if self._job_ended():
                # What it said last may still be had; its end is known without it.
                last_looks += 1
                if last_looks >= _LAST_LOOKS:
                    return
                continue
            if self._clock() - lost_since > self._give_up_seconds:
                raise ServiceUnreachable(
                    f"the service at {self._client.url} stayed away for {self._give_up_seconds:.0f} s",
                    found=trouble.found or trouble.failed,
                    do=f"the job may go on without you; when it is back: `wheelyard job {self._job_id}`",
                    job=self._job_id,
                )
            self._on_trouble(trouble.found or trouble.failed)
            self._stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _job_ended(self) -> bool:
        """Whether the truth about jobs says that it is over, whatever became of the stream of its events."""
        try:
            job: JobAnswer = self._client.job(self._job_id)
        except InfrastructureError:
            return False
        return job.ended

    def _read_connection(self) -> bool:
        """Read one connection to its end; whether the job's own `done` was on it."""
        with self._client.events(self._job_id, self._last_id, _SILENCE_SECONDS) as response:
            self._on_trouble("")
            for message in httpx2.EventSource(response):
                if self._stop.is_set():
                    return True
                event = _read_event(message.data)
                if message.id:
                    self._last_id = message.id
                if event is None or not self._seen.is_new(event):
                    continue
                self._arrivals.put(event)
                if event.type == "done" and event.job == self._job_id:
                    return True
        return False


def _read_event(body: str) -> Event | None:
    """An event, or None for what is none; a newer service may send what this client does not know."""
    try:
        document = json.loads(body)
        return Event.from_document(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
