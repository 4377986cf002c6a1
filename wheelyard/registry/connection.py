"""The connection to one repository of a registry: requests authorised, tried again, or refused plainly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import httpx2

from wheelyard import __version__
from wheelyard.digests import Digest
from wheelyard.registry.access import Access
from wheelyard.registry.address import PushTarget
from wheelyard.registry.logins import Logins
from wheelyard.registry.refusals import PASSING, RegistryUnavailable, refusal, unreachable

_CONNECT_SECONDS = 10.0
# A registry hashes and moves a large blob before it answers.
_ANSWER_SECONDS = 300.0
_PAUSES = (0.3, 1.0, 3.0)
_LONGEST_PAUSE = 30.0
_DOCUMENT_LIMIT = 8 << 20
_ANSWERS = 2
# What a new try may mend: a connection that broke. A name that nobody knows, or a wrong certificate, is none.
BROKEN = (
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.CloseError,
    httpx2.RemoteProtocolError,
    httpx2.TimeoutException,
)


class Connection:
    """A repository of a registry (OCI distribution-spec 1.1). Safe to use from several threads.

    :param sources: repositories of the same registry that blobs may be mounted from.
    """

    def __init__(self, target: PushTarget, logins: Logins, sources: Sequence[str] = ()) -> None:
        self.target = target
        self._complaints = logins.complaints
        self._http = httpx2.Client(
            headers={"user-agent": f"wheelyard/{__version__}", "accept-encoding": "identity"},
            timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # A proxy has no way to a registry of one's own machine or room.
            trust_env=not target.plain_http,
        )
        self._access = Access(self._http, target, logins.find(target.registry, target.repository), sources)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def place(self, path: str) -> str:
        """The address of something in the repository: `blobs/sha256:…`."""
        return f"{self.target.url}/v2/{self.target.repository}/{path}"

    def check(self) -> None:
        """See that a registry answers there, and log in.

        :raises RegistryUnavailable: nothing answers, or what answers is no registry.
        :raises InputError: it does not accept the login.
        """
        address = f"{self.target.url}/v2/"
        response = self.ask("GET", address, "login", accepted=(200, 404))
        if response.status_code == 404 or "html" in response.headers.get("content-type", ""):
            raise RegistryUnavailable(
                f"what answers at {self.target.registry} is not a registry",
                expected=f"status 200 at {address}",
                found=f"status {response.status_code}",
                do="look at the registry's name and port",
            )

    def has_blob(self, digest: Digest) -> bool:
        """Whether the repository holds those bytes already."""
        response = self.ask(
            "HEAD", self.place(f"blobs/{digest}"), self._act("look"), accepted=(200, 307, 302, 404)
        )
        return response.status_code != 404

    def manifest(self, reference: str, media_types: Iterable[str]) -> tuple[bytes, str] | None:
        """A manifest and its media type; None where there is none.

        :param reference: a tag or a digest.
        """
        response = self.ask(
            "GET",
            self.place(f"manifests/{reference}"),
            self._act("look"),
            headers={"accept": ", ".join(media_types)},
            accepted=(200, 404),
        )
        if response.status_code == 404 or len(response.content) > _DOCUMENT_LIMIT:
            return None
        return response.content, response.headers.get("content-type", "").partition(";")[0]

    def put_manifest(self, reference: str, body: bytes, media_type: str) -> Mapping[str, str]:
        """Put a manifest under a tag or its digest; gives the answer's headers. Idempotent."""
        response = self.ask(
            "PUT",
            self.place(f"manifests/{reference}"),
            self._act("push"),
            content=lambda: body,
            headers={"content-type": media_type},
            accepted=(200, 201, 202),
        )
        return response.headers

    def ask(
        self,
        method: str,
        address: str,
        what: str,
        *,
        content: Callable[[], bytes] = bytes,
        headers: Mapping[str, str] | None = None,
        accepted: Sequence[int] = (),
    ) -> httpx2.Response:
        """One request that may be sent again where its connection broke or the registry was busy.

        :param address: the whole one.
        :param what: it is asked for, for messages: `push to team/app`.
        :raises InputError: the registry refuses; the error says what can be done.
        :raises RegistryUnavailable: it does not answer, or fails by itself, again and again.
        """
        pauses = iter(_PAUSES)
        while True:
            pause = next(pauses, None)
            try:
                response = self.send(method, address, content(), headers or {})
            except BROKEN as error:
                if pause is None:
                    raise unreachable(
                        error, self.target.registry, plain_http=self.target.plain_http
                    ) from error
                time.sleep(pause)
                continue
            except httpx2.HTTPError as error:
                raise unreachable(error, self.target.registry, plain_http=self.target.plain_http) from error
            if response.status_code in accepted:
                return response
            if pause is None or response.status_code not in PASSING:
                raise self.refused(response, what)
            time.sleep(pause_of(response, pause))

    def send(
        self,
        method: str,
        address: str,
        content: bytes | Callable[[], Iterable[bytes]],
        headers: Mapping[str, str],
    ) -> httpx2.Response:
        """One request and its answer, whatever that says; a 401 is answered with what it asks for.

        :param content: bytes, or what gives them in pieces from their beginning, each time that it is called.
        :raises httpx2.HTTPError: there is no answer.
        """
        # An upload's address may be in another host's storage: the login is for the registry alone.
        ours = httpx2.URL(address).netloc == httpx2.URL(self.target.url).netloc
        # A token that another thread got, then one of our own; who refuses that, refuses all of them.
        for left in range(_ANSWERS, -1, -1):
            access = self._access.header() if ours else ""
            response = self._http.request(
                method,
                address,
                content=content if isinstance(content, bytes) else content(),
                headers={**headers, "authorization": access} if access else dict(headers),
            )
            if response.status_code != 401 or not ours or not left:
                break
            if not self._access.answer(response, access):
                break
        return response

    def refused(self, response: httpx2.Response, what: str) -> Exception:
        """The error that an answer stands for."""
        complaint = self._complaints[-1] if self._complaints else ""
        return refusal(response, what, self.target.registry, login=self._access.who, complaint=complaint)

    def _act(self, verb: str) -> str:
        return f"{verb} {'into' if verb == 'look' else 'to'} {self.target.repository}"


def pause_of(response: httpx2.Response, usual: float) -> float:
    """Seconds to wait before a busy registry is asked again, as it says (RFC 9110, section 10.2.3)."""
    said = response.headers.get("retry-after", "")
    return min(float(said), _LONGEST_PAUSE) if said.isdigit() else usual


def read_document(body: bytes) -> Any:
    """A manifest's or index's JSON; None where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None
