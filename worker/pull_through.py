"""The pull-through index: all that a resolving container can talk to, and a record of what it served."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from wheelyard.digests import CHUNK, Digest
from wheelyard.errors import (
    DiskFull,
    ForeignOutputRefused,
    IndexUnavailable,
    InfrastructureError,
    NotFound,
    StoreUnavailable,
    WheelyardError,
)
from wheelyard.store.contract import Store
from wheelyard.upstream.fetch import fetch_listed
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.listing import ListedFile, Listing
from worker.checked_sdist import checked_sdist

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,100}(?::[0-9]{1,5})?")

VIEWS: dict[str, Callable[[Listing], Listing]] = {
    # What is compiled must have an sdist; its wheels are shown because they give metadata without a build.
    "source": Listing.with_sources,
    # What a build needs may be any file of the index.
    "build": Listing.with_hashes,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one container may make us fetch, so that foreign code can't fill the host.

    :param projects: project pages.
    :param bytes: of files, all together.
    """

    projects: int = 2000
    bytes: int = 16 << 30


class PullThrough:
    """Our own index over the upstream one, for one resolution. Safe to use from any number of threads.

    Each page is read once: what pip saw, what the lock names and what an error explains are the same.

    :param upstream: the index behind it.
    :param store: where each file goes, by digest, before a byte of it is served.
    :param scratch: folder for files on their way; `None` means that of the operating system.
    """

    def __init__(
        self,
        upstream: Upstream,
        store: Store,
        *,
        scratch: Path | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._scratch = scratch
        self._allowance = allowance or Allowance()
        self._lock = threading.Lock()
        self._listings: dict[str, Listing | NotFound] = {}
        self._bytes = 0
        self._served: set[Digest] = set()
        self._troubles: list[WheelyardError] = []

    def raise_trouble(self) -> None:
        """Raise the first thing that went wrong on our side; a resolver that met it knows half of the index.

        :raises WheelyardError: an outage, refused bytes, a full disk.
        """
        with self._lock:
            if self._troubles:
                raise self._troubles[0]

    def listing(self, project: str) -> Listing:
        """The upstream's page of a project, read once.

        :raises NotFound: there is no such project.
        :raises IndexUnavailable: the upstream does not answer.
        """
        name = canonicalize_name(project)
        with self._lock:
            known = self._listings.get(name)
            if known is None and len(self._listings) >= self._allowance.projects:
                raise ForeignOutputRefused(
                    "the resolver asked for too many projects",
                    expected=f"at most {self._allowance.projects}",
                    do="ask for fewer requirements at once",
                )
        if known is None:
            try:
                known = self._upstream.listing(name)
            except NotFound as error:
                known = error
            with self._lock:
                known = self._listings.setdefault(name, known)
        if isinstance(known, NotFound):
            raise known.with_traceback(None)
        return known

    def fetch(self, project: str, file: ListedFile) -> Digest:
        """Bring a file into the store, and count it; gives the digest of its verified bytes.

        :raises ForeignOutputRefused: as `fetch_listed` and `checked_sdist`, or the allowance is used up.
        """
        with self._lock:
            left = self._allowance.bytes - self._bytes
        size = fetch_listed(file, self._store, self._upstream, scratch=self._scratch, limit=max(left, 0))
        assert file.digest is not None  # noqa: S101  # fetch_listed() refuses a file without one
        if file.kind == "sdist":
            checked_sdist(
                self._store, file.filename, file.digest, project=project, version=str(file.version),
                scratch=self._scratch,
            )  # fmt: skip
        with self._lock:
            if file.digest not in self._served:
                self._served.add(file.digest)
                self._bytes += size
        return file.digest

    def metadata(self, file: ListedFile) -> bytes:
        """Core metadata of a file (PEP 658), from the store where it is known by its digest."""
        if file.metadata is None:
            return self._upstream.metadata(file)
        known = self._store.open_blob(file.metadata)
        if known is not None:
            with closing(known):
                return known.read()
        body = self._upstream.metadata(file)
        self._store.put_blob(body, file.metadata)
        return body

    def note(self, trouble: WheelyardError) -> None:
        """Remember what went wrong, for `raise_trouble`."""
        with self._lock:
            self._troubles.append(trouble)

    def stream(self, digest: Digest) -> Iterator[bytes]:
        """A stored file's bytes in chunks."""
        blob = self._store.open_blob(digest)
        if blob is None:
            raise StoreUnavailable(f"the store lost {digest} while it was served")
        with closing(blob):
            while chunk := blob.read(CHUNK):
                yield chunk

    def application(self) -> Starlette:
        """The ASGI application; routes that it does not know are a 404."""
        return Starlette(
            routes=[
                Route("/{view}/simple/{project}/", self._answer(self._page)),
                Route("/{view}/{project}/json", self._answer(self._releases)),
                Route("/files/{project}/{filename}", self._answer(self._file)),
            ]
        )

    def _answer(self, give: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                return give(request)
            except NotFound as error:
                return PlainTextResponse(str(error), status_code=404)
            except WheelyardError as error:
                self.note(error)
                return PlainTextResponse(str(error), status_code=_status(error))
            except Exception as error:
                self.note(
                    InfrastructureError(
                        "the pull-through index failed", found=f"{type(error).__name__}: {error}"
                    )
                )
                raise

        return endpoint

    def _viewed(self, request: Request) -> Listing:
        view = VIEWS.get(request.path_params["view"])
        project = request.path_params["project"]
        if view is None or not _PROJECT.fullmatch(project):
            raise NotFound("there is no such page")
        return view(self.listing(project))

    def _page(self, request: Request) -> Response:
        listing = self._viewed(request)
        document = {
            "meta": {"api-version": "1.1"},
            "name": listing.project,
            "versions": [str(version) for version in listing.versions()],
            "files": [_entry(listing.project, file) for file in listing.files],
        }
        return JSONResponse(document, media_type=SIMPLE_JSON)

    def _releases(self, request: Request) -> Response:
        # pip-tools takes hashes from this address; without it, it would download the wheels of all platforms.
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            raise NotFound("there is no such page")
        listing = self._viewed(request)
        entries: dict[Version, list[dict[str, Any]]] = {}
        spellings: dict[str, Version] = {}
        for file in listing.files:
            if file.version is None or file.digest is None:
                continue
            # 69.3 and 69.3.0 are one version with two spellings, and pip-tools may ask by either.
            spellings[str(file.version)] = file.version
            entries.setdefault(file.version, []).append(
                {
                    "url": f"http://{host}/files/{listing.project}/{file.filename}",
                    "digests": {"sha256": file.digest.hex},
                    "packagetype": "bdist_wheel" if file.kind == "wheel" else "sdist",
                }
            )
        releases = {spelling: entries[version] for spelling, version in spellings.items()}
        return JSONResponse({"info": {"name": listing.project}, "releases": releases})

    def _file(self, request: Request) -> Response:
        project, filename = request.path_params["project"], request.path_params["filename"]
        if not _PROJECT.fullmatch(project):
            raise NotFound("there is no such file")
        listing = self.listing(project).with_hashes()
        file = listing.find(filename)
        if file is None:
            file = listing.find(filename.removesuffix(".metadata"))
            if file is None or not file.has_metadata:
                raise NotFound("there is no such file")
            return Response(self.metadata(file), media_type="application/octet-stream")
        digest = self.fetch(listing.project, file)
        return StreamingResponse(
            self.stream(digest),
            media_type="application/octet-stream",
            headers={"Content-Length": str(self._store.blob_size(digest))},
        )


def _entry(project: str, file: ListedFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": f"/files/{project}/{file.filename}",
        "hashes": {"sha256": file.digest.hex} if file.digest else {},
        "yanked": (file.yanked or True) if file.yanked is not None else False,
        "size": file.size or 0,
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.has_metadata:
        entry["core-metadata"] = {"sha256": file.metadata.hex} if file.metadata else True
    if file.uploaded:
        entry["upload-time"] = file.uploaded
    return entry


def _status(error: WheelyardError) -> int:
    """Not 5xx where another try can't help: pip would only wait and ask again."""
    match error:
        case ForeignOutputRefused():
            return 403
        case DiskFull():
            return 507
        case IndexUnavailable():
            return 504
        case _:
            return 500
