"""The pull-through index as a container sees it: through the door, over the socket, from a real server."""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
import stamina

from tests.distributions import sdist_members, tarred
from tests.index_site import serve_index
from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, IndexUnavailable
from wheelyard.store.folder import FolderStore
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pip_index import PipIndex
from worker.pull_through import Allowance, PullThrough
from worker.socket_server import SOCKET_NAME, serve_on_socket

DOOR = Path(__file__).parents[2] / "worker" / "inside" / "socket_door.py"


@pytest.fixture
def site():
    with serve_index() as served, stamina.set_testing(True, attempts=5, cap=True):  # no pauses
        yield served


@pytest.fixture
def folder_store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def index(site, folder_store):
    return PullThrough(Upstream(PipIndex(url=site.url), attempts=2, patience=3), folder_store)


@pytest.fixture
def folder(index):
    with serve_on_socket(index.application()) as served:
        yield served


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("127.0.0.1")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


@pytest.fixture
def ask(folder):
    def get(path, **headers):
        connection = SocketConnection(folder / SOCKET_NAME)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    return get


def raw(folder, request):
    """Whatever bytes, and the status line that comes back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(folder / SOCKET_NAME))
        connection.sendall(request)
        answer = b""
        while b"\r\n" not in answer and (chunk := connection.recv(4096)):
            answer += chunk
        return answer.split(b"\r\n")[0]


def names(body):
    return [file["filename"] for file in json.loads(body)["files"]]


def test_the_source_view_hides_versions_without_an_sdist(site, ask):
    site.add_sdist("demo", "1.0")
    site.add_wheel("demo", "1.0")
    site.add_wheel("demo", "2.0")
    status, body = ask("/source/simple/demo/")
    assert status == 200
    assert names(body) == ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"]
    assert len(names(ask("/build/simple/demo/")[1])) == 3


def test_what_pip_must_know_of_a_file_is_passed_on(site, ask):
    site.add_sdist("demo", "1.0", requires_python=">=3.8", yanked="broken")
    site.add_wheel("demo", "1.0", metadata=b"Name: demo\n")
    site.add_sdist("demo", "0.9", hashless=True)
    sdist, wheel = json.loads(ask("/source/simple/demo/")[1])["files"]
    assert (sdist["requires-python"], sdist["yanked"]) == (">=3.8", "broken")
    assert wheel["core-metadata"] == {"sha256": hashlib.sha256(b"Name: demo\n").hexdigest()}
    assert ask(wheel["url"] + ".metadata") == (200, b"Name: demo\n")
    assert ask(sdist["url"] + ".metadata")[0] == 404


def test_pip_tools_finds_hashes_under_every_spelling_of_a_version(site, ask):
    site.add_sdist("demo", "1.0.0")
    site.add_wheel("demo", "1.0")
    releases = json.loads(ask("/build/demo/json", Host="127.0.0.1:4711")[1])["releases"]
    assert releases["1.0"] == releases["1.0.0"]
    assert [file["packagetype"] for file in releases["1.0"]] == ["sdist", "bdist_wheel"]
    assert releases["1.0"][0]["url"].startswith("http://127.0.0.1:4711/files/demo/")


def test_a_served_file_is_verified_and_kept(site, ask, folder_store):
    file = site.add_sdist("demo", "1.0")
    assert ask("/files/demo/demo-1.0.tar.gz") == (200, file.body)
    digest = Digest.of(file.body)
    assert folder_store.blob_size(digest) == len(file.body)
    ask("/files/demo/demo-1.0.tar.gz")
    assert site.asked.count("/packages/demo/demo-1.0.tar.gz") == 1


def test_metadata_that_was_seen_before_needs_no_index(site, ask):
    site.add_wheel("demo", "1.0", metadata=b"Name: demo\n")
    for _ in range(2):
        assert ask("/files/demo/demo-1.0-py3-none-any.whl.metadata")[0] == 200
    assert site.asked.count("/packages/demo/demo-1.0-py3-none-any.whl.metadata") == 1


def test_other_bytes_than_the_index_lists_are_not_served(site, ask, index):
    file = site.add_sdist("demo", "1.0", listed_sha256="0" * 64)
    status, body = ask("/files/demo/demo-1.0.tar.gz")
    assert status == 403
    assert file.body not in body
    with pytest.raises(ForeignOutputRefused, match="not the file that the index lists"):
        index.raise_trouble()


def test_a_hostile_sdist_is_not_served(site, ask, index):
    member = tarfile.TarInfo("demo-1.0/../../evil.py")
    site.add("demo", "demo-1.0.tar.gz", tarred([*sdist_members(), (member, b"evil")]))
    status, body = ask("/files/demo/demo-1.0.tar.gz")
    assert (status, b"leaves the folder" in body) == (403, True)
    with pytest.raises(ForeignOutputRefused, match="leaves the folder"):
        index.raise_trouble()


def test_an_outage_is_remembered_whatever_the_resolver_makes_of_it(site, ask, index):
    site.fail_with = 500
    assert ask("/source/simple/demo/")[0] == 504
    with pytest.raises(IndexUnavailable):
        index.raise_trouble()


def test_a_missing_project_is_no_trouble(ask, index):
    assert ask("/source/simple/ghost/")[0] == 404
    index.raise_trouble()


def test_a_page_is_read_once(site, ask):
    site.add_sdist("demo", "1.0")
    for path in ("/source/simple/demo/", "/build/simple/Demo/", "/build/demo/json"):
        assert ask(path)[0] == 200
    assert site.asked == ["/simple/demo/"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/source/simple/",
        "/other/simple/demo/",
        "/source/simple/../../etc/passwd",
        "/source/simple/..%2f..%2fetc%2fpasswd/",
        "/source/simple/%00/",
        "/source/simple/demo%00/",
        "/source/simple/%ff%fe/",
        "/source/simple/-demo/",
        "/source/simple/" + "x" * 10_000 + "/",
        "/files/demo/../../../etc/passwd",
        "/files/demo/..%2f..%2f..%2fetc%2fpasswd",
        "/files/demo/%00",
        "/files/demo/" + "y" * 10_000,
        "/files/demo/.metadata",
        "/files/../demo-1.0.tar.gz",
        "/files/%2e%2e/demo-1.0.tar.gz",
        "/source/demo/json?x=%00",
        "http://example.org/simple/demo/",
    ],
)
def test_odd_paths_get_a_clean_refusal(site, ask, index, path):
    site.add_sdist("demo", "1.0")
    host = "127.0.0.1" if "json" not in path else "a b"
    assert 400 <= ask(path, Host=host)[0] < 500
    index.raise_trouble()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /source/simple/demo/ HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /source/simple/demo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"PUT /files/demo/demo-1.0.tar.gz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_get_a_clean_refusal(folder, index, request_bytes):
    assert raw(folder, request_bytes).startswith(b"HTTP/1.1 4")
    index.raise_trouble()


def test_one_container_can_not_make_us_fetch_without_end(site, folder_store):
    file = site.add_sdist("one", "1.0")
    site.add_sdist("two", "1.0")
    site.add_sdist("three", "1.0")
    upstream = Upstream(PipIndex(url=site.url))
    index = PullThrough(upstream, folder_store, allowance=Allowance(projects=2, bytes=len(file.body)))
    index.fetch("one", index.listing("one").files[0])
    with pytest.raises(ForeignOutputRefused, match="too large"):
        index.fetch("two", index.listing("two").files[0])
    with pytest.raises(ForeignOutputRefused, match="too many projects"):
        index.listing("three")


def large_sdist(size):
    return tarred([*sdist_members(), (tarfile.TarInfo("demo-1.0/weights.bin"), os.urandom(size))])


def test_many_ask_for_the_same_file_at_the_same_time(site, ask):
    body = large_sdist(3 << 20)
    site.add("demo", "demo-1.0.tar.gz", body)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ask("/files/demo/demo-1.0.tar.gz"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(200, body)] * 12


def test_a_socket_can_lie_in_a_very_long_folder(index, tmp_path):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with serve_on_socket(index.application(), deep) as folder:
        assert (folder / SOCKET_NAME).stat().st_mode & 0o777 == 0o666
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert list(deep.iterdir()) == []


CLIENT = """
import os, sys, urllib.request
address = sys.argv[1]
assert os.environ["DEMO"].startswith("http://127.0.0.1:"), os.environ["DEMO"]
sys.stdout.buffer.write(urllib.request.urlopen(address, timeout=20).read())
sys.exit(7)
"""


def test_the_door_leads_to_the_socket_and_ends_as_its_command_does(site, folder):
    body = large_sdist(1 << 20)
    site.add("demo", "demo-1.0.tar.gz", body)
    done = subprocess.run(
        [
            sys.executable,
            DOOR,
            folder / SOCKET_NAME,
            sys.executable,
            "-c",
            CLIENT,
            "@DOOR@/files/demo/demo-1.0.tar.gz",
        ],
        capture_output=True,
        timeout=60,
        env={"DEMO": "@DOOR@/x"},
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, body), done.stderr


def test_a_command_that_is_killed_is_told_by_the_doors_status(folder):
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run(
        [sys.executable, DOOR, folder / SOCKET_NAME, sys.executable, "-c", kill], timeout=60, check=False
    )
    assert done.returncode == 137
