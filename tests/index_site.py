"""A small package index on loopback that a test fills itself, and that can fail in the ways of real ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOOKLESS_SETUP = "from setuptools import setup\nsetup()\n"


def make_sdist(project: str, version: str, files: dict[str, str]) -> bytes:
    """Bytes of `PROJECT-VERSION.tar.gz`, the same each time."""
    stream = io.BytesIO()
    top = f"{project.replace('-', '_')}-{version}"
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, text in {"PKG-INFO": _metadata(project, version), **files}.items():
            body = text.encode()
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return stream.getvalue()


def make_wheel(
    project: str,
    version: str,
    *,
    requires: tuple[str, ...] = (),
    requires_python: str = "",
    extras: tuple[str, ...] = (),
    files: dict[str, str] | None = None,
    tag: str = "py3-none-any",
) -> bytes:
    """Bytes of a wheel with the given modules, the same each time."""
    name = project.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}/__init__.py": "",
        **(files or {}),
        f"{info}/METADATA": _metadata(project, version, requires, requires_python, extras),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},," + "\n" for path in members) + f"{info}/RECORD,,\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for path, text in {**members, f"{info}/RECORD": record}.items():
            pack.writestr(zipfile.ZipInfo(path), text)
    return stream.getvalue()


def _metadata(
    project: str,
    version: str,
    requires: tuple[str, ...] = (),
    requires_python: str = "",
    extras: tuple[str, ...] = (),
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(lines) + "\n\n"


@dataclass
class SiteFile:
    """One file of the site, and how it misbehaves.

    :param pause_at: bytes after which it waits for `resume`.
    """

    filename: str
    body: bytes
    requires_python: str = ""
    yanked: str | bool = False
    metadata: bytes | None = None
    listed_sha256: str = ""
    hashless: bool = False
    cut_at: int | None = None
    cuts_left: int = 1 << 30
    chunked: bool = False
    uploaded: str = ""
    pause_at: int | None = None
    resume: threading.Event = field(default_factory=threading.Event)


@dataclass
class IndexSite:
    """What the site holds, and what it was asked.

    :param fail_with: HTTP status that every request gets.
    :param fails_left: how many requests get it.
    :param elsewhere: address of the index that is asked for what the site lacks; empty means none is.
    :param etags: whether pages have an entity tag, and are not sent again where it still holds.
    :param unchanged: how many were not sent again.
    :param gate: every answer waits for it.
    """

    url: str = ""
    html: bool = False
    projects: dict[str, list[SiteFile]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fail_with: int = 0
    fails_left: int = 1 << 30
    fail_below: str = "/"
    instead: tuple[str, bytes] | None = None
    elsewhere: str = ""
    etags: bool = False
    unchanged: int = 0
    gate: threading.Event | None = None

    def add(self, project: str, filename: str, body: bytes, **how: Any) -> SiteFile:
        """Put a file on a project's page."""
        file = SiteFile(filename=filename, body=body, **how)
        self.projects.setdefault(project, []).append(file)
        return file

    def add_sdist(
        self, project: str, version: str, files: dict[str, str] | None = None, **how: Any
    ) -> SiteFile:
        """Put an sdist there; without files it is one that setuptools builds."""
        given = files or {
            "setup.py": f"from setuptools import setup\nsetup(name={project!r}, version={version!r})\n"
        }
        body = make_sdist(project, version, given)
        return self.add(project, f"{project.replace('-', '_')}-{version}.tar.gz", body, **how)

    def add_wheel(
        self,
        project: str,
        version: str,
        *,
        requires: tuple[str, ...] = (),
        extras: tuple[str, ...] = (),
        tag: str = "py3-none-any",
        files: dict[str, str] | None = None,
        **how: Any,
    ) -> SiteFile:
        """Put a wheel there."""
        body = make_wheel(
            project,
            version,
            requires=requires,
            extras=extras,
            tag=tag,
            files=files,
            requires_python=how.get("requires_python", ""),
        )
        return self.add(project, f"{project.replace('-', '_')}-{version}-{tag}.whl", body, **how)

    def page(self, project: str) -> tuple[str, bytes]:
        """Content type and body of a project's page."""
        entries = [self._entry(project, file) for file in self.projects[project]]
        if not self.html:
            document = {"meta": {"api-version": "1.1"}, "name": project, "files": entries, "versions": []}
            return "application/vnd.pypi.simple.v1+json", json.dumps(document).encode()
        links = "".join(_link(entry) for entry in entries)
        return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def _entry(self, project: str, file: SiteFile) -> dict[str, Any]:
        digest = file.listed_sha256 or hashlib.sha256(file.body).hexdigest()
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": f"/packages/{project}/{file.filename}",
            "hashes": {} if file.hashless else {"sha256": digest},
            "yanked": file.yanked,
            "size": len(file.body),
        }
        if file.requires_python:
            entry["requires-python"] = file.requires_python
        if file.uploaded:
            entry["upload-time"] = file.uploaded
        if file.metadata is not None:
            entry["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        return entry

    def find(self, project: str, filename: str) -> SiteFile | None:
        """The file at an address."""
        return next((file for file in self.projects.get(project, []) if file.filename == filename), None)


def _link(entry: dict[str, Any]) -> str:
    sha = entry["hashes"].get("sha256")
    python = entry.get("requires-python", "").replace(">", "&gt;").replace("<", "&lt;")
    attributes = f' data-requires-python="{python}"' if python else ""
    if entry["yanked"]:
        attributes += f' data-yanked="{entry["yanked"]}"'
    if "core-metadata" in entry:
        attributes += f' data-core-metadata="sha256={entry["core-metadata"]["sha256"]}"'
    return f'<a href="{entry["url"]}{"#sha256=" + sha if sha else ""}"{attributes}>{entry["filename"]}</a>\n'


def _answering(site: IndexSite) -> type[BaseHTTPRequestHandler]:  # noqa: C901  # one small class
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Keep a test's output its own."""

        def do_GET(self) -> None:
            site.asked.append(self.path)
            if site.gate is not None:
                site.gate.wait(30)
            if site.fail_with and site.fails_left > 0 and self.path.startswith(site.fail_below):
                site.fails_left -= 1
                self._send(site.fail_with, "text/plain", b"no")
            elif site.instead is not None:
                self._send(200, *site.instead)
            else:
                self._give([part for part in self.path.split("/") if part])

        def _give(self, parts: list[str]) -> None:
            match parts:
                case ["simple", project] if project in site.projects:
                    self._send_page(*site.page(project))
                case ["simple", project] if site.elsewhere:
                    self.send_response(302)
                    self.send_header("Location", f"{site.elsewhere}{project}/")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                case ["packages", project, name] if file := site.find(project, name):
                    self._send_file(file)
                case ["packages", project, name] if (
                    file := site.find(project, name.removesuffix(".metadata"))
                ) and file.metadata is not None:
                    self._send(200, "text/plain", file.metadata)
                case _:
                    self._send(404, "text/plain", b"no such thing")

        def _send_page(self, content_type: str, body: bytes) -> None:
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            if site.etags and self.headers.get("If-None-Match") == etag:
                site.unchanged += 1
                self.send_response(304)
                self.end_headers()
                return
            self._send(200, content_type, body, {"ETag": etag} if site.etags else {})

        def _send_file(self, file: SiteFile) -> None:
            if file.pause_at is not None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(file.body)))
                self.end_headers()
                self.wfile.write(file.body[: file.pause_at])
                self.wfile.flush()
                file.resume.wait(30)
                self.wfile.write(file.body[file.pause_at :])
                return
            if file.cut_at is None or file.cuts_left <= 0:
                self._send(200, "application/octet-stream", file.body)
                return
            file.cuts_left -= 1
            self.send_response(200)
            if not file.chunked:
                self.send_header("Content-Length", str(len(file.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(file.body[: file.cut_at])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def _send(
            self, status: int, content_type: str, body: bytes, headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Answer


@contextmanager
def serve_index() -> Iterator[IndexSite]:
    """An empty site on a free port of 127.0.0.1, for as long as the block runs."""
    site = IndexSite()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(site))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/simple/"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
