"""The upstream index: one project's page, one file's bytes, and a clear error where it does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TypeVar

import requests
import stamina
import urllib3
from packaging.utils import canonicalize_name
from pypi_simple import DistributionPackage, NoSuchProjectError, ProjectPage, PyPISimple
from pypi_simple.errors import UnsupportedContentTypeError, UnsupportedRepoVersionError

from wheelyard.digests import CHUNK, Digest, DigestingWriter
from wheelyard.errors import ForeignOutputRefused, IndexUnavailable, InputError, NotFound
from wheelyard.upstream.listing import ListedFile, Listing, read_filename
from wheelyard.upstream.pip_index import PipIndex

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
MAX_METADATA_BYTES = 8 << 20

Answer = TypeVar("Answer")


class _CutShortError(Exception):
    """Fewer bytes came than the index had promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPage:
    """What the index answered when it was asked for a project's page.

    :param listing: None where the page is still the one of the entity tag that was sent.
    :param etag: the page's entity tag (RFC 9110); empty where the index gives none.
    """

    listing: Listing | None
    etag: str


class Upstream:
    """Reads one index (PEP 503, 691, 658). Safe to use from any number of threads.

    :param index: its address and the way to it.
    :param attempts: tries of one request before the index counts as unreachable.
    :param patience: seconds within which a new try may begin.
    :param download_seconds: time that one file may take.
    :param connect_seconds: time that the index has to take a connection.
    :param read_seconds: time for which it may say nothing.
    """

    def __init__(
        self,
        index: PipIndex,
        *,
        attempts: int = 5,
        patience: float = 45.0,
        download_seconds: float = 1800.0,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.index = index
        self._timeout = (connect_seconds, read_seconds)
        self._attempts = attempts
        self._patience = patience
        self._download_seconds = download_seconds

    def _client(self) -> PyPISimple:
        # A session each time: requests does not promise that one can be shared by threads.
        session = requests.Session()
        session.verify = self.index.ca_bundle or True
        session.cert = self.index.client_certificate or None
        if self.index.proxy:
            session.proxies = {"http": self.index.proxy, "https": self.index.proxy}
        return PyPISimple(self.index.url, session=session)

    def _ask(self, what: str, question: Callable[[PyPISimple], Answer]) -> Answer:
        """Ask with retries; what the index did not answer becomes `IndexUnavailable`."""
        try:
            for attempt in stamina.retry_context(
                on=_is_passing, attempts=self._attempts, timeout=self._patience, wait_max=8.0
            ):
                with attempt, self._client() as client:
                    return question(client)
        except requests.HTTPError as error:
            raise IndexUnavailable(
                f"the index {self.index.shown} refused to give {what}",
                found=f"HTTP status {_status(error)}",
                do="try again later, or check the address and the account in pip's index-url",
                upstream_status=_status(error),
            ) from error
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
            raise IndexUnavailable(
                f"the index {self.index.shown} gave no project page for {what}",
                expected="a simple index (PEP 503 or 691)",
                found=str(error)[:200],
                do="check pip's index-url or WHEELYARD_INDEX_URL",
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, _CutShortError) as error:
            raise IndexUnavailable(
                f"the index {self.index.shown} could not be reached for {what}",
                found=_reason(error),
                do="check the network and the proxy, then try again",
            ) from error
        raise AssertionError("stamina ends with an answer or an error")

    def listing(self, project: str) -> Listing:
        """The page of one project.

        :raises NotFound: the index answers that there is no such project.
        :raises IndexUnavailable: it does not answer, or with something else than a page.
        """
        page = self.page(project).listing
        assert page is not None  # noqa: S101  # only who sends an entity tag can be told that it still holds
        return page

    def page(self, project: str, etag: str = "") -> FreshPage:
        """The page of one project, unless it is still the one that is known.

        :param etag: of the page that is known; empty where none is.
        :raises NotFound: the index answers that there is no such project.
        :raises IndexUnavailable: it does not answer, or with something else than a page.
        """
        name = canonicalize_name(project)

        def question(client: PyPISimple) -> FreshPage:
            headers = {"Accept": client.accept, **({"If-None-Match": etag} if etag else {})}
            url = client.get_project_url(name)
            with client.s.get(url, headers=headers, timeout=self._timeout) as response:
                if response.status_code == 404:
                    raise NoSuchProjectError(name, url)
                response.raise_for_status()
                if etag and response.status_code == 304:
                    return FreshPage(listing=None, etag=etag)
                page = ProjectPage.from_response(response, name)
                files = tuple(_listed(name, package) for package in page.packages)
                return FreshPage(
                    listing=Listing(project=name, files=files), etag=response.headers.get("ETag", "")
                )

        try:
            return self._ask(name, question)
        except NoSuchProjectError as error:
            raise NotFound(
                f"there is no project {name} on the index {self.index.shown}",
                do="check the spelling, or publish it to that index",
                project=name,
            ) from error

    def metadata(self, file: ListedFile) -> bytes:
        """The core metadata of one file (PEP 658), checked against the index's hash where it gives one.

        :raises ForeignOutputRefused: it hashes to something else.
        :raises IndexUnavailable: it can't be had.
        """

        def question(client: PyPISimple) -> bytes:
            with client.s.get(
                f"{self.index.with_credentials(file.url)}.metadata", stream=True, timeout=self._timeout
            ) as response:
                response.raise_for_status()
                body = b""
                for chunk in response.iter_content(CHUNK):
                    body += chunk
                    if len(body) > MAX_METADATA_BYTES:
                        raise ForeignOutputRefused(
                            f"the metadata of {file.filename} is too long",
                            expected=f"at most {MAX_METADATA_BYTES} bytes",
                        )
                return body

        body = self._ask(f"the metadata of {file.filename}", question)
        if file.metadata is not None:
            check_digest(f"the metadata of {file.filename}", file.metadata, Digest.of(body))
        return body

    def download(self, file: ListedFile, target: IO[bytes], limit: int) -> int:
        """Write one file's bytes, checked against the index's hash, and give their number.

        :param target: a seekable stream; after an error it holds rubbish.
        :param limit: bytes at the most.
        :raises ForeignOutputRefused: they hash to something else, or are too many.
        :raises IndexUnavailable: they can't be had, or not whole.
        """
        if file.digest is None:
            raise ForeignOutputRefused(
                f"{file.filename} can't be verified", expected="a SHA-256 on the index's page", found="none"
            )

        def question(client: PyPISimple) -> DigestingWriter:
            target.seek(0)
            target.truncate()
            writer = DigestingWriter(target)
            until = time.monotonic() + self._download_seconds
            with client.s.get(
                self.index.with_credentials(file.url),
                stream=True,
                timeout=self._timeout,
                headers={"Accept-Encoding": "identity"},
            ) as response:
                response.raise_for_status()
                # Servers that send a .tar.gz as "gzip-encoded" must not have it unpacked on the way.
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    writer.write(chunk)
                    if writer.size > limit:
                        raise ForeignOutputRefused(
                            f"{file.filename} is too large", expected=f"at most {limit} bytes"
                        )
                    if time.monotonic() > until:
                        raise _CutShortError(f"it took longer than {self._download_seconds:.0f} s")
            if file.size is not None and writer.size < file.size:
                raise _CutShortError(f"{writer.size} of {file.size} bytes came")
            return writer

        writer = self._ask(file.filename, question)
        check_digest(file.filename, file.digest, writer.digest)
        return writer.size


def check_digest(name: str, expected: Digest, found: Digest | None) -> None:
    """Refuse bytes that are not what the index says.

    :raises ForeignOutputRefused: the digests differ; both are in it.
    """
    if expected != found:
        raise ForeignOutputRefused(
            f"{name} is not the file that the index lists",
            expected=str(expected),
            found=str(found or "no SHA-256"),
            do="do not use it; try again, and tell the index's owners if it stays so",
            filename=name,
        )


def _status(error: requests.HTTPError) -> int:
    return error.response.status_code if error.response is not None else 0


def _is_passing(error: Exception) -> bool:
    """Whether another try may help."""
    if isinstance(error, requests.HTTPError):
        return _status(error) >= 500 or _status(error) in {408, 429}
    return isinstance(
        error,
        requests.ConnectionError
        | requests.Timeout
        | requests.exceptions.ChunkedEncodingError
        | requests.exceptions.ContentDecodingError
        | urllib3.exceptions.HTTPError
        | _CutShortError,
    )


def _reason(error: BaseException) -> str:
    """The innermost cause in its own words; urllib3 wraps it in several layers of its own names."""
    inner: BaseException = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    return (str(inner) or type(inner).__name__)[:200]


def _listed(project: str, package: DistributionPackage) -> ListedFile:
    kind, version = read_filename(project, package.filename)
    return ListedFile(
        filename=package.filename,
        url=package.url,
        digest=_sha256(package.digests),
        kind=kind,
        version=version,
        requires_python=package.requires_python or "",
        yanked=(package.yanked_reason or "") if package.is_yanked else None,
        has_metadata=bool(package.has_metadata),
        metadata=_sha256(package.metadata_digests),
        size=package.size,
        uploaded=package.upload_time.isoformat() if package.upload_time else "",
    )


def _sha256(digests: dict[str, str] | None) -> Digest | None:
    try:
        return Digest.parse((digests or {})["sha256"].lower())
    except (KeyError, InputError):
        return None
