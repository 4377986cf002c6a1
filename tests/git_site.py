"""A git server on loopback: repositories that a test makes, served by git's own smart HTTP program."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_AUTHOR = {
    "GIT_AUTHOR_NAME": "tests", "GIT_AUTHOR_EMAIL": "tests@example.org", "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@example.org", "GIT_AUTHOR_DATE": "2024-05-06T07:08:09Z",
    "GIT_COMMITTER_DATE": "2024-05-06T07:08:09Z", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}  # fmt: skip
COMMITTED_AT = 1_714_979_289


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as the same author at the same time."""
    return subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **_AUTHOR}, capture_output=True, text=True,
        timeout=60, check=True,
    ).stdout.strip()  # fmt: skip


@dataclass
class GitSite:
    """Bare repositories in a folder.

    :param requests: paths that were asked for, in their order.
    """

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def commit(
        self, name: str, files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None
    ) -> str:
        """A new commit in a repository, which is made where it is not there; gives its hash."""
        bare, work = self.folder / f"{name}.git", self.folder / f"{name}.work"
        if not bare.exists():
            git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            git(self.folder, "clone", "--quiet", str(bare), str(work))
        for path, content in files.items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        for path, target in (links or {}).items():
            (work / path).symlink_to(target)
        git(work, "add", "--all")
        git(work, "commit", "--quiet", "--message", "a commit")
        git(work, "push", "--quiet", "origin", "HEAD:main")
        return git(work, "rev-parse", "HEAD")

    def requirement(self, name: str, commit: str, folder: str = "") -> str:
        """The requirement that names a commit."""
        return f"{name} @ git+{self.url}/{name}.git@{commit}" + (f"#subdirectory={folder}" if folder else "")


def _answering(site: GitSite) -> type[BaseHTTPRequestHandler]:
    program = f"{git(site.folder, '--exec-path')}/git-http-backend"

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            site.requests.append(path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            environment = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(site.folder), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type") or "", "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding") or "",
                "GIT_PROTOCOL": self.headers.get("git-protocol") or "", "REMOTE_ADDR": "127.0.0.1",
                "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
            }  # fmt: skip
            done = subprocess.run([program], input=body, env=environment, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Answer


@contextmanager
def serve_git(folder: Path) -> Iterator[GitSite]:
    """Serve the repositories of a folder on a free port of loopback."""
    site = GitSite(folder=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(site))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
