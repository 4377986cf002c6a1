"""The client of the service: a call is one HTTP request, an answer a value object, a problem an error."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx2

from wheelyard import __version__
from wheelyard.answers import CachedWheel, JobAnswer, read_error
from wheelyard.digests import Digest
from wheelyard.dockerfile_parts import ContextFile
from wheelyard.errors import InfrastructureError, InputError, NotFound, Unauthorized, WheelyardError
from wheelyard.image_manifest import IMAGES as _MANIFESTS
from wheelyard.lock_standing import OfferedFile
from wheelyard.plan_answer import PlanAnswer

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
_RETRY_PAUSES = (0.2, 0.6, 1.2)
# What a service that is started anew does to its connections. A silence is none of these: it may work still.
_BROKEN = (httpx2.NetworkError, httpx2.RemoteProtocolError)
_PROBLEM = "application/problem+json"
_PAGE = "application/vnd.pypi.simple.v1+json"
_PASSING = frozenset({408, 425, 429})
_RESERVED = frozenset(
    {"type", "title", "status", "detail", "instance", "expected", "found", "do", "kind", "facts"}
)


class ServiceUnreachable(InfrastructureError):
    """The service could not be reached, or the connection to it broke."""

    kind = "service-unreachable"
    title = "The service does not answer"


class Client:
    """One service, seen from outside. Safe to use from several threads.

    A request for a job carries an `Idempotency-Key`, so that it is sent again where its connection broke.

    :param url: its address, `http://HOST:PORT` or with a path below which it lives.
    :param token: sent as a bearer token (RFC 6750); empty sends none.
    :param name: who asks, such as user@host; empty lets the service take the address.
    :param answer_seconds: time in which an answer must begin.
    :raises InputError: the address is not an HTTP one.
    """

    def __init__(
        self, url: str, token: str = "", *, name: str = "", answer_seconds: float = _ANSWER_SECONDS
    ) -> None:
        self.url = url.rstrip("/")
        self._name = name
        headers = {"user-agent": f"wheelyard/{__version__}"}
        if token:
            if not token.isascii() or not token.isprintable() or " " in token:
                raise InputError(
                    "the token can't be sent",
                    expected="printable ASCII characters without blanks",
                    do="look at it again",
                )
            headers["authorization"] = f"Bearer {token}"
        self._http = httpx2.Client(
            base_url=_checked_address(self.url),
            headers=headers,
            timeout=httpx2.Timeout(answer_seconds, connect=_CONNECT_SECONDS),
            follow_redirects=True,
            # A proxy has no way to this machine's own loopback.
            trust_env=not _is_loopback(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- jobs -----------------------------------------------------------------------------------------

    def build(self, request: Mapping[str, Any]) -> JobAnswer:
        """Ask for wheels; the same request again joins the same job.

        :param request: requirements, toolchain, channel, refresh; and priority, client, webhook.
        """
        return self._ask("/v1/builds", request)

    def plan(self, request: Mapping[str, Any]) -> JobAnswer:
        """Ask what a build would do; nothing is compiled.

        :param request: as a build's.
        """
        return self._ask("/v1/plans", request)

    def image(self, request: Mapping[str, Any]) -> JobAnswer:
        """Ask for a runtime image; the same request again joins the same job.

        :param request: a build's fields, and app, entrypoint, command, environment, labels, workdir, user.
        """
        return self._ask("/v1/images", request)

    def image_receipt(self, image: str) -> dict[str, Any]:
        """What is in an image, as a document.

        :param image: a job's id, an image id, a digest, or REPOSITORY:TAG.
        """
        return dict(self._json("GET", f"/v1/images/{_segment(image)}/receipt"))

    def image_dockerfile(self, image: str) -> str:
        """A Dockerfile that makes what an image holds.

        :param image: a job's id, an image id, a digest, or REPOSITORY:TAG.
        """
        return self._text(f"/v1/images/{_segment(image)}/dockerfile")

    def image_dockerfile_context(self, image: str) -> tuple[ContextFile, ...]:
        """What lies beside that Dockerfile; each is a blob."""
        answer = self._json("GET", f"/v1/images/{_segment(image)}/dockerfile", query={"form": "context"})
        return tuple(ContextFile.from_document(file) for file in _entries(answer, "context"))

    def image_why(self, image: str, what: str) -> dict[str, Any]:
        """Why something is in an image, as a document.

        :param what: a path, a library or the beginning of its name, a project, or a package.
        """
        return dict(self._json("GET", f"/v1/images/{_segment(image)}/why", query={"of": what}))

    def image_difference(self, before: str, after: str) -> dict[str, Any]:
        """What an image has otherwise than another one, as a document.

        :param before: what it is compared with.
        """
        return dict(self._json("GET", f"/v1/images/{_segment(after)}/diff", query={"against": before}))

    def made_images(self, limit: int = 50) -> list[dict[str, Any]]:
        """The images that were made here, newest first, as documents."""
        return _entries(self._json("GET", "/v1/registry/images", query={"limit": str(limit)}), "images")

    def tag_image(self, image: str, name: str) -> dict[str, Any]:
        """Let a tag of the service's own registry stand for an image; the same again is a no-op.

        :param image: a digest, an image id, or REPOSITORY:TAG.
        :param name: REPOSITORY:TAG.
        """
        body = {"image": image, "name": name}
        return dict(self._json("PUT", "/v1/registry/tags", body=body, repeatable=True))

    def image_tag_history(self, name: str) -> dict[str, Any]:
        """What a tag stands for, and stood for before, newest first, as a document.

        :param name: REPOSITORY:TAG.
        """
        return dict(self._json("GET", "/v1/registry/tags", query={"name": name}))

    def verify(self, request: Mapping[str, Any]) -> JobAnswer:
        """Ask for a published wheel to be built again and compared.

        :param request: project, version, toolchain, channel; and priority, client, webhook.
        """
        return self._ask("/v1/verifications", request)

    def job(self, job_id: str) -> JobAnswer:
        """A job as it stands now."""
        return JobAnswer.from_document(self._json("GET", f"/v1/jobs/{_segment(job_id)}"))

    def plan_of(self, job_id: str, *, workers: int = 0, inputs: bool = False) -> PlanAnswer:
        """The plan of a plan, a build or an image, as it stands now.

        :param workers: builds at the same time that its end is reckoned for; 0 for what the live ones can do.
        :param inputs: what each node's key covers, too.
        """
        query = {"workers": str(workers), "inputs": str(inputs).lower()}
        return PlanAnswer.from_document(self._json("GET", f"/v1/plans/{_segment(job_id)}", query=query))

    def plan_picture(self, job_id: str) -> str:
        """The picture of a plan, as SVG.

        :raises NotFound: it is not planned yet.
        """
        return self._text(f"/v1/plans/{_segment(job_id)}/plan.svg")

    def lock(self, job_id: str, form: str = "requirements") -> str:
        """The lock of a plan, a build or an image, as it stands now.

        :param form: `requirements` or `pylock`.
        :raises NotFound: it is not planned yet.
        """
        return self._text(f"/v1/plans/{_segment(job_id)}/lock", {"format": form})

    def jobs(self, limit: int = 50) -> list[JobAnswer]:
        """The newest jobs, newest first."""
        answer = self._json("GET", "/v1/jobs", query={"limit": str(limit)})
        return [JobAnswer.from_document(entry) for entry in _entries(answer, "jobs")]

    def cancel(self, job_id: str, waiter: str = "") -> JobAnswer:
        """Leave a job; it ends where nobody else waits for it.

        :param waiter: the request that leaves, as its answer named it; to leave twice is then the same as
            once. Empty means the latest one.
        """
        place = f"/v1/jobs/{_segment(job_id)}"
        if waiter:
            answer = self._json("DELETE", place, query={"waiter": waiter}, repeatable=True)
        else:
            answer = self._json("DELETE", place)
        return JobAnswer.from_document(answer) if "state" in answer else self.job(job_id)

    def webhooks(self, job_id: str) -> list[dict[str, Any]]:
        """Who was told of a job's end, and what became of each message, as documents."""
        return _entries(self._json("GET", f"/v1/jobs/{_segment(job_id)}/webhooks"), "webhooks")

    def log(self, job_id: str, *, from_error: bool = False) -> Iterator[str]:
        """Lines of a job's log so far, without their ends.

        :param from_error: only from a little above the first error, where the job failed.
        """
        query = {"from": "error"} if from_error else {}
        with self._stream("GET", f"/v1/jobs/{_segment(job_id)}/log", params=query) as response:
            yield from response.iter_lines()

    @contextmanager
    def events(self, job_id: str, after: str, silence_seconds: float) -> Iterator[httpx2.Response]:
        """A job's open event stream (server-sent events); `wheelyard.following` reads it to its end.

        :param after: id of the last event that was seen; empty for all.
        :param silence_seconds: time without a byte, comments included, after which it counts as dead.
        """
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        if after:
            headers["last-event-id"] = after
        timeout = httpx2.Timeout(silence_seconds, connect=_CONNECT_SECONDS)
        with self._stream(
            "GET", f"/v1/jobs/{_segment(job_id)}/events", headers=headers, timeout=timeout
        ) as response:
            yield response

    def workers(self) -> list[dict[str, Any]]:
        """Who works, and on what, as documents."""
        return _entries(self._json("GET", "/v1/workers"), "workers")

    # -- toolchains and the cache ---------------------------------------------------------------------

    def toolchains(self) -> list[dict[str, Any]]:
        """Every toolchain that the service knows, as documents."""
        return _entries(self._json("GET", "/v1/toolchains"), "toolchains")

    def toolchain(self, name: str) -> dict[str, Any]:
        """One toolchain's document."""
        return dict(self._json("GET", f"/v1/toolchains/{_segment(name)}"))

    def build_toolchain(self, name: str, request: Mapping[str, Any] | None = None) -> JobAnswer:
        """Ask for a toolchain's images to be made.

        :param request: priority, client, webhook.
        """
        return self._ask(f"/v1/toolchains/{_segment(name)}/builds", request or {})

    def recipes(self) -> list[dict[str, Any]]:
        """Every project that has a recipe, as documents."""
        return _entries(self._json("GET", "/v1/recipes"), "recipes")

    def recipe(self, project: str, *, version: str = "", variant: str = "") -> dict[str, Any]:
        """What the recipe of a project says, and which file says it, as a document.

        :raises NotFound: it has no such variant.
        """
        query = {name: value for name, value in (("version", version), ("variant", variant)) if value}
        return dict(self._json("GET", f"/v1/recipes/{_segment(project)}", query=query))

    def wheels(self, project: str = "", channel: str = "") -> list[CachedWheel]:
        """Files that the cache shows, of one project and channel or of all."""
        query = {name: value for name, value in (("project", project), ("channel", channel)) if value}
        return [
            CachedWheel.from_document(entry)
            for entry in _entries(self._json("GET", "/v1/wheels", query=query), "wheels")
        ]

    def offers(self, project: str, channel: str = "") -> tuple[OfferedFile, ...]:
        """What the index shows of a project, as pip sees it; nothing where it has no page of it.

        :param channel: empty means the default one.
        :raises NotFound: there is no such channel.
        """
        path = f"/simple/{_segment(project)}/"
        if channel not in ("", "default"):
            path = f"/channels/{_segment(channel)}{path}"
        try:
            page = self._json("GET", path, headers={"accept": _PAGE}, repeatable=True)
        except NotFound as error:
            if "channel" in error.facts:
                raise
            return ()
        if not isinstance(page, dict):
            return ()
        return OfferedFile.of_page(page, f"{self.url}{path}")

    def file_digest(self, address: str) -> Digest:
        """The digest of a file's bytes, as the index gives them now; nothing is kept.

        :param address: the whole one, as its page names it.
        """
        found = hashlib.sha256()
        with self._stream("GET", address, headers={"accept-encoding": "identity"}) as response:
            for piece in _pieces(response, self.url):
                found.update(piece)
        return Digest(found.hexdigest())

    def record(self, build_key: str) -> dict[str, Any] | None:
        """The record of a build key: every input, the output, timings; None where the store has none."""
        try:
            answer = self._json("GET", f"/v1/wheels/{_segment(build_key)}")
        except NotFound:
            return None
        record: dict[str, Any] | None = answer.get("record")
        return record

    def why(
        self, project: str, version: str, *, channel: str = "", toolchain: str = "", against: str = ""
    ) -> dict[str, Any]:
        """Why a wheel was built: its inputs, and what changed since the build before it, as a document.

        :param channel: empty means the default one.
        :param toolchain: name of the only one that counts; empty for any.
        :param against: build key to compare with, or its first digits; empty for the build before.
        :raises NotFound: there is no such build; the error says what there is.
        """
        asked = {"channel": channel, "toolchain": toolchain, "against": against}
        query = {name: value for name, value in asked.items() if value}
        path = f"/v1/wheels/{_segment(project)}/{_segment(version)}/why"
        return dict(self._json("GET", path, query=query))

    def health(self) -> dict[str, Any]:
        """What the service says of its own readiness.

        :raises InfrastructureError: it is not ready; the error says what is missing.
        """
        return dict(self._json("GET", "/readyz"))

    # -- channels and projects ------------------------------------------------------------------------

    def channels(self) -> list[dict[str, Any]]:
        """Every channel, as documents."""
        return _entries(self._json("GET", "/v1/channels"), "channels")

    def channel(self, name: str) -> dict[str, Any]:
        """One channel's document."""
        return dict(self._json("GET", f"/v1/channels/{_segment(name)}"))

    def create_channel(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Make a channel; the same one again is a no-op.

        :param settings: base, upstream, kinds, projects, min_age in seconds.
        """
        return dict(self._json("PUT", f"/v1/channels/{_segment(name)}", body=settings, repeatable=True))

    def change_channel(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Give a channel other settings; what is left out stays."""
        return dict(self._json("PATCH", f"/v1/channels/{_segment(name)}", body=settings, repeatable=True))

    def remove_channel(self, name: str) -> None:
        """Take an empty channel away."""
        self._json("DELETE", f"/v1/channels/{_segment(name)}")

    def yank(self, channel: str, filename: str, reason: str = "") -> dict[str, Any]:
        """Yank a file (PEP 592); gives the file's document."""
        path = f"/v1/channels/{_segment(channel)}/files/{_segment(filename)}/yank"
        return dict(self._json("PUT", path, body={"reason": reason}, repeatable=True))

    def unyank(self, channel: str, filename: str) -> dict[str, Any]:
        """Take a yank back; gives the file's document."""
        path = f"/v1/channels/{_segment(channel)}/files/{_segment(filename)}/yank"
        return dict(self._json("DELETE", path, repeatable=True))

    def project(self, name: str) -> dict[str, Any]:
        """What the team says of a project, as a document."""
        return dict(self._json("GET", f"/v1/projects/{_segment(name)}"))

    def change_project(self, name: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Say something else of a project.

        :param change: owned, or status and reason (PEP 792).
        """
        return dict(self._json("PATCH", f"/v1/projects/{_segment(name)}", body=change, repeatable=True))

    # -- access tokens --------------------------------------------------------------------------------

    def create_token(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make an access token; the answer holds its secret, which nobody can be told again.

        :param request: name, scopes, channels, expires.
        """
        return dict(self._json("POST", "/v1/tokens", body=request))

    def tokens(self, *, ended: bool = False) -> list[dict[str, Any]]:
        """The access tokens as documents, without their secrets.

        :param ended: revoked and expired ones, too.
        """
        query = {"ended": "true"} if ended else {}
        return _entries(self._json("GET", "/v1/tokens", query=query), "tokens")

    def revoke_token(self, token_id: str) -> dict[str, Any]:
        """Revoke an access token; twice is the same as once."""
        return dict(self._json("DELETE", f"/v1/tokens/{_segment(token_id)}", repeatable=True))

    # -- blobs ----------------------------------------------------------------------------------------

    def has_blob(self, digest: Digest) -> bool:
        """Whether the service holds those bytes already."""
        try:
            with self._stream("HEAD", f"/v1/blobs/{digest}"):
                return True
        except NotFound:
            return False

    def put_blob(self, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        """Upload bytes; the service checks their digest.

        :param size: in bytes.
        """
        headers = {"content-length": str(size), "content-type": "application/octet-stream"}
        timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        with self._stream("PUT", f"/v1/blobs/{digest}", headers=headers, content=chunks, timeout=timeout):
            return

    @contextmanager
    def blob(self, digest: Digest, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """A blob's bytes in pieces, as they come; who reads them checks the digest.

        :param offset: bytes at its beginning that are not wanted.
        """
        with self._bytes(f"/v1/blobs/{digest}", offset) as pieces:
            yield pieces

    # -- the service's own registry -------------------------------------------------------------------

    def manifest(self, repository: str, reference: str) -> bytes:
        """A manifest of a repository, whose digest nobody has checked yet.

        :param reference: a tag or a digest.
        :raises NotFound: the registry has none there.
        """
        headers = {"accept": ", ".join(_MANIFESTS), "accept-encoding": "identity"}
        path = f"/v2/{quote(repository)}/manifests/{quote(reference, safe=':')}"
        with self._stream("GET", path, headers=headers) as response:
            return response.read()

    @contextmanager
    def part(self, repository: str, digest: Digest, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """A blob of a repository in pieces, as they come; who reads them checks the digest.

        :param offset: bytes at its beginning that are not wanted.
        """
        with self._bytes(f"/v2/{quote(repository)}/blobs/{digest}", offset) as pieces:
            yield pieces

    def referrers(self, repository: str, digest: Digest) -> list[dict[str, Any]]:
        """Descriptors of the manifests that name another one as their subject, as the registry lists them."""
        path: str | None = f"/v2/{quote(repository)}/referrers/{digest}"
        found: list[dict[str, Any]] = []
        while path:
            with self._stream("GET", path) as response:
                response.read()
                found += _entries(response.json(), "manifests")
                path = response.links.get("next", {}).get("url")
        return found

    def upload_sdist(self, path: Path, channel: str = "default") -> dict[str, Any]:
        """Upload an sdist into a channel, as twine does; gives what the channel shows from now on.

        :raises WheelyardError: the service refused it; the error is the service's own.
        """
        fields = {":action": "file_upload", "protocol_version": "1", "filetype": "sdist"}
        place = "/legacy/" if channel == "default" else f"/channels/{_segment(channel)}/legacy/"
        with path.open("rb") as content:
            try:
                response = self._http.request(
                    "POST", place, data=fields, files={"content": (path.name, content)},
                    headers={"accept": _PROBLEM},
                )  # fmt: skip
            except httpx2.HTTPError as error:
                raise self._unreachable(error) from error
        return dict(self._document(response))

    # -- the one door ---------------------------------------------------------------------------------

    def _ask(self, path: str, request: Mapping[str, Any]) -> JobAnswer:
        body = {"client": self._name, **request} if self._name else request
        # In quotes: the draft (draft-ietf-httpapi-idempotency-key-header) wants a structured field's string.
        key = {"idempotency-key": f'"{uuid.uuid4()}"'}
        return JobAnswer.from_document(self._json("POST", path, body=body, headers=key, repeatable=True))

    def _json(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        pauses = iter(_RETRY_PAUSES if repeatable else ())
        while True:
            try:
                response = self._http.request(method, path, json=body, params=query, headers=headers)
                break
            except httpx2.HTTPError as error:
                pause = next(pauses, None)
                if pause is None or not isinstance(error, _BROKEN):
                    raise self._unreachable(error) from error
                time.sleep(pause)
        return self._document(response)

    def _text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        with self._stream("GET", path, params=query) as response:
            response.read()
            return response.text

    def _document(self, response: httpx2.Response) -> Any:
        if not response.is_success:
            raise self._problem(response)
        if not response.content:
            return {}
        try:
            return response.json()
        except ValueError as error:
            raise self._strange(response) from error

    @contextmanager
    def _stream(self, method: str, path: str, **options: Any) -> Iterator[httpx2.Response]:
        try:
            with self._http.stream(method, path, **options) as response:
                if not response.is_success:
                    response.read()
                    raise self._problem(response)
                yield response
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    @contextmanager
    def _bytes(self, path: str, offset: int) -> Iterator[Iterator[bytes]]:
        headers = {"accept-encoding": "identity"}
        if offset:
            headers["range"] = f"bytes={offset}-"
        with self._stream("GET", path, headers=headers) as response:
            # What stands in between may know no ranges, and answer with the whole.
            yield _without(_pieces(response, self.url), 0 if response.status_code == 206 else offset)

    def _unreachable(self, error: Exception) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"the service at {self.url} does not answer",
            found=_cause(error),
            do="see that it runs (`wheelyard up`) and that the address is right (--url, WHEELYARD_URL)",
            url=self.url,
        )

    def _strange(self, response: httpx2.Response) -> InfrastructureError:
        return InfrastructureError(
            f"what answers at {self.url} is not a Wheelyard service",
            expected="a JSON document",
            found=f"status {response.status_code}, {response.text[:200]!r}",
            do="see that the address is right (--url, WHEELYARD_URL) and that no proxy is in the way",
        )

    def _problem(self, response: httpx2.Response) -> WheelyardError:
        document: Any = None
        if _PROBLEM in response.headers.get("content-type", ""):
            try:
                document = json.loads(response.content)
            except ValueError:
                document = None
        if isinstance(document, dict):
            return problem_error(document, response.status_code)
        if response.status_code in (401, 403):
            return Unauthorized(
                f"the service at {self.url} does not accept the token",
                found=f"status {response.status_code}",
                do="give the right one with WHEELYARD_TOKEN or --token",
            )
        if response.status_code == 404:
            # A HEAD has no body to tell more.
            return NotFound(f"the service at {self.url} has nothing at {response.request.url.path}")
        return self._strange(response)


def problem_error(document: Mapping[str, Any], status: int = 0) -> WheelyardError:
    """The error that a problem document (RFC 9457) stands for.

    :param document: the problem; `detail` is what failed.
    :param status: of the answer; decides where the problem names no kind that is known.
    """
    facts = document.get("facts")
    error = read_error(
        {
            **document,
            "failed": document.get("detail") or document.get("title") or f"the service answered {status}",
            "facts": facts
            if isinstance(facts, dict)
            else {k: v for k, v in document.items() if k not in _RESERVED},
        }
    )
    if type(error) is not WheelyardError:
        return error
    # A kind that this client does not know: the status still says whose fault it is.
    ours = 400 <= status < 500 and status not in _PASSING
    known = InputError if ours else InfrastructureError
    return known(error.failed, expected=error.expected, found=error.found, do=error.do, **error.facts)


def _checked_address(url: str) -> str:
    try:
        address = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise _no_address(url, str(error)) from error
    if address.scheme not in ("http", "https") or not address.host:
        raise _no_address(url, url)
    return url


def _no_address(url: str, found: str) -> InputError:
    return InputError(
        f"{url!r} is not the address of a service",
        expected="http://HOST:PORT or https://HOST",
        found=found,
        do="mend --url or WHEELYARD_URL",
    )


def _is_loopback(url: str) -> bool:
    host = httpx2.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _segment(name: str) -> str:
    """A name as one part of a path; nothing that the caller typed may reach another address."""
    if not name or name in (".", ".."):
        raise InputError(f"{name!r} is not a name")
    return quote(name, safe="")


def _entries(answer: Any, name: str) -> list[dict[str, Any]]:
    entries = answer.get(name, []) if isinstance(answer, dict) else answer
    return list(entries)


def _cause(error: Exception) -> str:
    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection within {_CONNECT_SECONDS:.0f} s"
    if isinstance(error, httpx2.TimeoutException):
        return "silence for too long"
    return str(error) or type(error).__name__


def _pieces(response: httpx2.Response, url: str) -> Iterator[bytes]:
    try:
        yield from response.iter_raw(1 << 18)
    except httpx2.HTTPError as error:
        raise ServiceUnreachable(
            f"the download from {url} broke off", found=_cause(error), do="try again; nothing half is kept"
        ) from error


def _without(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The pieces without that many bytes at their beginning."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(count - len(piece), 0)
