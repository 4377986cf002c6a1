"""A small service on loopback that speaks the front door's contract, to which `tests/contract` holds it.

Run as a program it plays a build of two projects for somebody who wants to look at the displays.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fake_index import FakeIndex
from wheelyard.access_token import Scope, held_scopes, read_lifetime
from wheelyard.digests import Digest, canonical_json, key_of
from wheelyard.errors import (
    Cancelled,
    Conflict,
    Forbidden,
    InputError,
    NotFound,
    Unauthorized,
    WheelyardError,
)
from wheelyard.image_fields import ImageFields
from wheelyard.recipes import list_recipes, resolve_recipe

TOOLCHAIN = {
    "name": "debian12-cp311",
    "description": "Debian 12",
    "python": "3.11",
    "tag": "cp311",
    "policy": "manylinux_2_36_x86_64",
    "default": True,
    "image": "",
    "definition": {},
    "record": None,
}
_REQUEST_FIELDS = {
    "requirements", "constraints", "build_constraints", "toolchain", "channel", "refresh", "limits",
    "variants", "hashes", "build_deps",
}  # fmt: skip
_IMAGE_FIELDS = {"app", "app_wheel", "app_wheel_name", *ImageFields.model_fields}
_ASKER_FIELDS = {"priority", "client", "webhook"}
ENDED = {"succeeded", "failed", "cancelled"}


@dataclass
class FakeJob:
    """A job, its events, and what the service would say of it."""

    id: str
    kind: str
    title: str
    key: str
    spec: dict[str, Any]
    state: str = "queued"
    phase: str = ""
    waiters: int = 1
    named: set[str] = field(default_factory=set)
    client: str = ""
    priority: str = "interactive"
    queue: dict[str, Any] | None = None
    cancel_requested: bool = False
    children: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    fresh: bool = False
    created_at: float = field(default_factory=time.time)
    started_at: float = 0.0
    ended_at: float = 0.0


class FakeService:
    """Jobs in memory; a test says what a worker would do with one.

    :param worker: called in a thread of its own with each new job; None leaves jobs queued.
    :param drops: number of requests for jobs whose connection is closed after they were carried out.
    :param cuts: for each connection to an event stream in turn, the number of events after which it is cut.
    """

    def __init__(self, worker: Callable[[FakeService, FakeJob], None] | None = None, token: str = "") -> None:
        self.worker = worker
        self.token = token
        self.cuts: list[int] = []
        self.loses_done = False
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.jobs: dict[str, FakeJob] = {}
        self.blobs: dict[str, bytes] = {}
        self.toolchains: list[dict[str, Any]] = [TOOLCHAIN]
        self.wheels: list[dict[str, Any]] = []
        self.channels = {"default", "team"}
        self.records: dict[str, dict[str, Any]] = {}
        self.index = FakeIndex(self.wheels)
        self.recipes_dir: Path | None = None
        self.workers: list[dict[str, Any]] = []
        self.tokens: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.keyed: dict[str, tuple[FakeJob, int, str]] = {}
        self.drops = 0
        self.webhooks: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.url = ""

    # -- what a worker does ------------------------------------------------------------------------------

    def add_job(self, kind: str, title: str, spec: dict[str, Any] | None = None) -> FakeJob:
        """A new job."""
        job = FakeJob(id=uuid.uuid4().hex, kind=kind, title=title, key=uuid.uuid4().hex, spec=spec or {})
        self.jobs[job.id] = job
        return job

    def add_child(self, parent: FakeJob, kind: str, title: str) -> FakeJob:
        """A job that another one waits for."""
        child = self.add_job(kind, title)
        parent.children.append(child.id)
        return child

    def say(self, job: FakeJob, kind: str, **facts: Any) -> None:
        """An event, on the job's own stream and on those of the jobs that wait for it."""
        event = {"type": kind, "job": job.id, "title": job.title, "at": time.time(), **facts}
        with self.changed:
            if kind == "state":
                job.state = facts["state"]
            if kind == "phase":
                job.state, job.phase = "building", facts["name"]
                job.started_at = job.started_at or time.time()
            if kind == "line":
                job.log += facts["text"] + "\n"
            for listener in [job, *self._parents(job.id)]:
                listener.events.append(event)
            self.changed.notify_all()

    def succeed(self, job: FakeJob, result: dict[str, Any]) -> None:
        """End a job well."""
        self._end(job, "succeeded", result=result)

    def fail(self, job: FakeJob, error: WheelyardError) -> None:
        """End a job badly."""
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        self._end(job, state, error=error.to_document())

    def _end(self, job: FakeJob, state: str, **facts: Any) -> None:
        with self.changed:
            if job.state in ENDED:
                return
            job.state, job.phase, job.ended_at = state, "", time.time()
            job.result, job.error = facts.get("result"), facts.get("error")
        if not self.loses_done:
            self.say(job, "done", state=state, **facts)

    def _parents(self, job_id: str) -> list[FakeJob]:
        direct = [job for job in self.jobs.values() if job_id in job.children]
        return direct + [above for job in direct for above in self._parents(job.id)]

    # -- what a client asks ------------------------------------------------------------------------------

    def submit(self, kind: str, title: str, spec: dict[str, Any]) -> tuple[FakeJob, int]:
        """A request: joined, answered from the cache, or new."""
        key = key_of({"kind": kind, "spec": spec})
        for job in self.jobs.values():
            if job.key == key and job.state not in ENDED:
                job.waiters += 1
                return job, 202
            if job.key == key and job.state == "succeeded" and not spec.get("refresh"):
                return job, 200
        job = self.add_job(kind, title, spec)
        job.key = key
        job.fresh = True
        return job, 202

    def start(self, job: FakeJob) -> None:
        """Let the worker take a job that was just accepted."""
        if job.fresh and self.worker is not None:
            threading.Thread(target=self.worker, args=(self, job), daemon=True).start()
        job.fresh = False

    def cancel(self, job_id: str, waiter: str = "") -> FakeJob:
        """Leave a job."""
        job = self.job(job_id)
        if waiter and waiter not in job.named:
            return job
        if job.state in ENDED:
            raise Conflict(f"job {job_id} ended already", found=job.state)
        job.named.discard(waiter)
        job.waiters -= 1
        if job.waiters == 0:
            with self.changed:
                job.cancel_requested = True
                self.changed.notify_all()
            if job.state == "queued":
                self._end(job, "cancelled")
        return job

    def job(self, job_id: str) -> FakeJob:
        """A job, or the problem that there is none."""
        if job_id not in self.jobs:
            raise NotFound(f"there is no job {job_id!r}", do="see `wheelyard jobs`")
        return self.jobs[job_id]

    def log_lines(self, job: FakeJob, *, from_error: bool) -> list[str]:
        """A job's log, or what follows its first error."""
        lines = job.log.splitlines(keepends=True)
        at = (job.error or {}).get("facts", {}).get("log_line", 0)
        if not from_error or not at:
            return lines
        first = max(1, at - 5)
        note = f"(from line {first} of the log of {job.title}; all of it: /v1/jobs/{job.id}/log)\n"
        return [note, *lines[first - 1 :]]

    def document(self, job: FakeJob) -> dict[str, Any]:
        """A job as the service describes it."""
        fields = (
            "id", "kind", "state", "phase", "title", "client", "priority", "waiters", "cancel_requested",
            "result",
        )  # fmt: skip
        times = ("created_at", "started_at", "ended_at")
        return {
            **{name: getattr(job, name) for name in (*fields, *times)},
            "toolchain": job.spec.get("toolchain", ""),
            "channel": job.spec.get("channel", "default"),
            "attempts": 0,
            "queue": None if job.state in ENDED else job.queue,
            "error": None
            if job.error is None
            else {**job.error, "detail": job.error["failed"], "status": 422},
            "children": [
                {
                    name: getattr(self.jobs[child], name)
                    for name in ("id", "kind", "title", "state", "phase", "queue")
                }
                for child in job.children
            ],
        }

    def publish(self, filename: str, *, channel: str = "default", sdist: bytes = b"") -> Digest:
        """Show a wheel in a channel; its bytes are its name.

        :param sdist: that it was built from; empty for one that was uploaded.
        """
        project, version = filename.split("-")[:2]
        digest, body = Digest.of(filename.encode()), filename.encode()
        key = key_of({"wheel": filename, "sdist": sdist.hex()}) if sdist else ""
        self.blobs[str(digest)] = body
        self.wheels.append(
            {
                "channel": channel, "project": project.lower().replace("_", "-"), "version": version,
                "filename": filename, "digest": str(digest), "size": len(body), "requires_python": ">=3.8",
                "build_key": key, "published_at": time.time(), "url": f"/files/{digest.hex}/{filename}",
            }
        )  # fmt: skip
        if sdist:
            self.records[key] = {"inputs": {"sdist": str(Digest.of(sdist))}}
        return digest

    def page(self, channel: str, project: str) -> dict[str, Any]:
        """A project's page (PEP 691)."""
        if channel not in self.channels:
            raise NotFound(f"there is no channel {channel}", channel=channel)
        shown = [wheel for wheel in self.wheels if (wheel["channel"], wheel["project"]) == (channel, project)]
        if not shown:
            raise NotFound(f"the channel {channel} has no wheel of {project}")
        return {
            "meta": {"api-version": "1.1"},
            "name": project,
            "versions": sorted({wheel["version"] for wheel in shown}),
            "files": [
                {
                    "filename": wheel["filename"], "url": wheel["url"], "size": wheel["size"],
                    "hashes": {"sha256": wheel["digest"].removeprefix("sha256:")},
                    "requires-python": wheel["requires_python"], "yanked": wheel.get("yanked", False),
                }
                for wheel in shown
            ],
        }  # fmt: skip

    def create_token(self, request: dict[str, Any]) -> dict[str, Any]:
        """A new access token, with its secret."""
        lifetime = read_lifetime(request.get("expires", "90d"))
        if not request.get("name") or not request.get("scopes"):
            raise InputError("the request is wrong at body.scopes")
        now = time.time()
        token = {
            "id": uuid.uuid4().hex[:12], "name": request["name"], "scopes": request["scopes"],
            "channels": request.get("channels", []), "subject": "", "made_at": now,
            "expires_at": 0.0 if lifetime is None else now + lifetime, "used_at": 0.0, "revoked_at": 0.0,
        }  # fmt: skip
        self.tokens[f"wy_{secrets.token_urlsafe(32)}"] = token
        return {**token, "secret": next(reversed(self.tokens))}

    def list_tokens(self, *, ended: bool) -> list[dict[str, Any]]:
        """The access tokens without their secrets."""
        now = time.time()
        return [
            token
            for token in self.tokens.values()
            if ended or not (token["revoked_at"] or 0 < token["expires_at"] <= now)
        ]

    def revoke_token(self, token_id: str) -> dict[str, Any]:
        """End an access token."""
        for token in self.tokens.values():
            if token["id"] == token_id:
                token["revoked_at"] = token["revoked_at"] or time.time()
                return token
        raise NotFound(f"there is no token {token_id!r}", do="see `wheelyard token list --all`")

    def check_right(self, header: str, scope: str) -> None:
        """Refuse whoever lacks a right."""
        secret = header.removeprefix("Bearer ")
        if not self.token or secret == self.token:
            return
        token = self.tokens.get(secret)
        if token is None or token["revoked_at"]:
            raise Unauthorized("the token is missing", do="set WHEELYARD_TOKEN")
        if scope not in held_scopes(map(Scope, token["scopes"])):
            raise Forbidden(f"the token {token['name']!r} does not have the scope {scope}", scope=scope)

    def put_blob(self, digest: str, body: bytes) -> None:
        """Keep bytes."""
        found = str(Digest.of(body))
        if found != digest:
            raise InputError(
                "the bytes are not the ones that the address names", expected=digest, found=found
            )
        self.blobs[digest] = body


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: FakeService

    def log_message(self, *_args: object) -> None:
        return

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        self.service.requests.append((self.command, path))
        if path in self.service.answers:
            status, media, content = self.service.answers[path]
            self._send(status, content, media)
            return
        try:
            if self.command in ("POST", "PUT", "PATCH", "DELETE") or path.startswith("/v1/tokens"):
                admin = path.startswith(("/v1/tokens", "/v1/toolchains", "/v1/channels", "/v1/projects"))
                self.service.check_right(self.headers.get("authorization", ""), "admin" if admin else "build")
            self._route(path, body)
        except WheelyardError as error:
            problem = {
                "type": f"/problems/{error.kind}", "title": error.title, "status": error.status,
                "detail": error.failed, "instance": path, **error.to_document(),
            }  # fmt: skip
            self._send(error.status, json.dumps(problem).encode(), "application/problem+json")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815 - the names are http.server's

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _route(self, path: str, body: bytes) -> None:  # noqa: C901, PLR0912 - a table of addresses
        service, method = self.service, self.command
        if found := re.fullmatch(r"/v1/jobs/([^/]+)/events", path):
            self._stream_events(service.job(found[1]))
        elif found := re.fullmatch(r"/v1/jobs/([^/]+)/log", path):
            lines = service.log_lines(service.job(found[1]), from_error="from=error" in self.path)
            self._send(200, "".join(lines).encode(), "text/plain; charset=utf-8")
        elif found := re.fullmatch(r"/v1/jobs/([^/]+)", path):
            waiter = parse_qs(urlsplit(self.path).query).get("waiter", [""])[0]
            job = service.cancel(found[1], waiter) if method == "DELETE" else service.job(found[1])
            self._json(service.document(job))
        elif found := re.fullmatch(r"/v1/jobs/([^/]+)/webhooks", path):
            service.job(found[1])
            self._json({"webhooks": service.webhooks})
        elif path == "/v1/jobs":
            newest = sorted(service.jobs.values(), key=lambda job: -job.created_at)
            self._json({"jobs": [service.document(job) for job in newest]})
        elif found := re.fullmatch(r"/v1/plans/([^/]+)", path):
            self._json({**service.document(service.job(found[1])), "plan": None})
        elif found := re.fullmatch(r"/v1/plans/([^/]+)/plan\.svg", path):
            raise NotFound(f"job {service.job(found[1]).id} has no plan yet")
        elif path in ("/v1/builds", "/v1/plans", "/v1/images"):
            spec = json.loads(body)
            more = _IMAGE_FIELDS if path == "/v1/images" else set()
            asked = spec.get("requirements") or any(spec.get(name) for name in more)
            if not asked or set(spec) - _REQUEST_FIELDS - _ASKER_FIELDS - more:
                raise InputError("the request is wrong at body.requirements")
            title = ", ".join(spec.get("requirements", ()))
            self._take(path.removeprefix("/v1/").removesuffix("s"), title, spec)
        elif found := re.fullmatch(r"/v1/toolchains/([^/]+)/builds", path):
            asked = {name: value for name, value in json.loads(body).items() if name in _ASKER_FIELDS}
            self._take("toolchain", f"toolchain {found[1]}", {"toolchain": found[1], **asked})
        elif path == "/v1/toolchains":
            self._json({"toolchains": service.toolchains})
        elif found := re.fullmatch(r"/v1/toolchains/([^/]+)", path):
            named = [entry for entry in service.toolchains if entry["name"] == found[1]]
            if not named:
                raise NotFound(f"there is no toolchain {found[1]!r}", do="see `wheelyard toolchain list`")
            self._json(named[0])
        elif path == "/v1/recipes":
            self._json({"recipes": [asdict(line) for line in list_recipes(service.recipes_dir)]})
        elif found := re.fullmatch(r"/v1/recipes/([^/]+)", path):
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self._json(resolve_recipe(found[1], service.recipes_dir, **query).to_document())
        elif path == "/v1/workers":
            self._json({"workers": service.workers})
        elif path == "/v1/wheels":
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self._json({"wheels": [w for w in service.wheels if query.items() <= w.items()]})
        elif found := re.fullmatch(r"(?:/channels/([^/]+))?/simple/([^/]+)/", path):
            self._json(service.page(found[1] or "default", found[2]))
        elif found := re.fullmatch(r"/files/([0-9a-f]{64})/[^/]+", path):
            self._blob(f"sha256:{found[1]}", body)
        elif found := re.fullmatch(r"/v1/wheels/([^/]+)/([^/]+)/why", path):
            raise NotFound(f"the channel default has no build of {found[1]} {found[2]}")
        elif found := re.fullmatch(r"/v1/wheels/([0-9a-f]{64})", path):
            if found[1] not in service.records:
                raise NotFound(f"no wheel has the build key {found[1]}")
            self._json({"wheels": [], "record": service.records[found[1]]})
        elif path == "/v1/tokens" and method == "POST":
            self._json(service.create_token(json.loads(body)), 201)
        elif path == "/v1/tokens":
            self._json({"tokens": service.list_tokens(ended="ended=true" in self.path)})
        elif found := re.fullmatch(r"/v1/tokens/([^/]+)", path):
            self._json(service.revoke_token(found[1]))
        elif path == "/readyz":
            self._json({"status": "ok", "version": "0", "parts": {}})
        elif found := re.fullmatch(r"/v1/blobs/(sha256:[0-9a-f]{64})", path):
            self._blob(found[1], body)
        elif (answer := service.index.answer(method, path, body)) is not None:
            self._json(*answer)
        else:
            raise NotFound("there is nothing at this address")

    def _take(self, kind: str, title: str, document: dict[str, Any]) -> None:
        """A request for a job, once for each Idempotency-Key."""
        service, key = self.service, self.headers.get("idempotency-key") or uuid.uuid4().hex
        if key not in service.keyed:
            spec = {name: value for name, value in document.items() if name not in _ASKER_FIELDS}
            job, status = service.submit(kind, title, spec)
            if status == 202:
                job.named.add(key)
            if job.fresh:
                job.client, job.priority = document.get("client", ""), document.get("priority", "interactive")
            service.keyed[key] = (job, status, key if status == 202 else "")
        job, status, waiter = service.keyed[key]
        if service.drops:
            service.drops -= 1
            self.close_connection = True
            return
        self._json({**service.document(job), "waiter": waiter}, status)
        service.start(job)

    def _blob(self, digest: str, body: bytes) -> None:
        if self.command == "PUT":
            self.service.put_blob(digest, body)
            self._json({"digest": digest, "size": len(body)}, 201)
        elif digest not in self.service.blobs:
            raise NotFound("there is no such blob")
        else:
            self._send(200, self.service.blobs[digest], "application/octet-stream")

    def _json(self, document: Any, status: int = 200) -> None:
        self._send(status, canonical_json(document), "application/json")

    def _send(self, status: int, body: bytes, media: str) -> None:
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream_events(self, job: FakeJob) -> None:
        """Server-sent events; an entry's id is its place in the stream, from 1."""
        service = self.service
        place = int(self.headers.get("last-event-id") or 0)
        left = service.cuts.pop(0) if service.cuts else -1
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(f": following {job.id}\nretry: 2000\n\n".encode())
        while True:
            with service.changed:
                if len(job.events) <= place:
                    service.changed.wait(timeout=1)
                batch = job.events[place:]
            for event in batch:
                if left == 0:
                    # In the middle of a message, as a proxy or a cable would do it.
                    self.wfile.write(b'event: line\nid: 999999\ndata: {"type": "li')
                    return
                place, left = place + 1, left - 1
                text = json.dumps(event)
                self.wfile.write(f"event: {event['type']}\nid: {place}\ndata: {text}\n\n".encode())
                if event["type"] == "done" and event["job"] == job.id:
                    return
            if job.state in ENDED and not batch:
                return
            self.wfile.write(b": \n\n")
            self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """Listeners go away in the middle; that is what the tests are about."""


@contextmanager
def serving(service: FakeService, port: int = 0) -> Iterator[FakeService]:
    """The service on a port of loopback; 0 means a free one."""
    door = type("Door", (_Door,), {"service": service})
    server = _Server(("127.0.0.1", port), door)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def wheel_document(
    project: str, version: str, *, hit: bool, size: int = 8_200_000, seconds: float = 282.0
) -> dict[str, Any]:
    """A wheel as a build's result names it."""
    filename = f"{project.replace('-', '_')}-{version}-cp311-cp311-manylinux_2_36_x86_64.whl"
    return {
        "project": project, "version": version, "filename": filename,
        "digest": str(Digest.of(filename.encode())),
        "size": size, "build_key": key_of(filename), "hit": hit, "seconds": 0.0 if hit else seconds,
    }  # fmt: skip


def play_two_wheels(service: FakeService, job: FakeJob) -> None:
    """A build as a worker would do it, at fifty times the speed."""
    service.say(job, "state", state="building")
    service.say(job, "phase", name="resolve")
    time.sleep(1.5)
    children = [
        service.add_child(job, "wheel", title)
        for title in ("numpy 2.4.6", "opencv-python-headless 4.14.0.94")
    ]
    hit = wheel_document("pillow", "12.0.0", hit=True)
    service.say(job, "wheel", filename=hit["filename"], digest=hit["digest"], size=hit["size"], hit=True)
    service.say(job, "phase", name="waiting")
    workers = [
        threading.Thread(target=_play_wheel, args=(service, child, total), daemon=True)
        for child, total in zip(children, (474, 1167), strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if job.cancel_requested:
        service.fail(job, Cancelled(f"{job.title} was cancelled"))
        return
    wheels = [
        wheel_document("numpy", "2.4.6", hit=False),
        wheel_document("opencv-python-headless", "4.14.0.94", hit=False),
        hit,
    ]
    service.succeed(job, {"lock": str(Digest.of(b"lock")), "wheels": wheels, "seconds": 40.0})


def _play_wheel(service: FakeService, job: FakeJob, total: int) -> None:
    parents = service._parents(job.id)
    for phase in ("fetch", "compile", "repair", "check", "publish"):
        service.say(job, "phase", name=phase)
        time.sleep(0.8)
        for done in range(1, total + 1) if phase == "compile" else ():
            if any(parent.cancel_requested for parent in parents):
                time.sleep(1)
                service.fail(job, Cancelled(f"{job.title} was cancelled"))
                return
            text = f"\x1b[32mCompiling C object\x1b[0m part_{done}.c.o with flags -O3 -fno-strict-aliasing"
            service.say(job, "step", done=done, total=total, text=text)
            time.sleep(0.03)
    filename = f"{job.title.split()[0].replace('-', '_')}-1-cp311-cp311-manylinux_2_36_x86_64.whl"
    service.say(job, "wheel", filename=filename, digest=str(Digest.of(b"w")), size=19_100_000, hit=False)
    service.succeed(job, {})


if __name__ == "__main__":
    with serving(FakeService(play_two_wheels), int(sys.argv[1])) as running:
        print(running.url, flush=True)
        threading.Event().wait()
