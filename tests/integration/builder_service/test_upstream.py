"""Upstream, pulled through: real installers on our index, a real index behind it that fails and attacks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
import stamina
from sqlalchemy import delete

import builder_service.files
from tests.distributions import wheel
from tests.index_site import IndexSite, make_wheel, serve_index
from wheelyard.channels import UpstreamKinds, UpstreamPolicy
from wheelyard.digests import Digest
from wheelyard.index_file import IndexFile, Origin, keep_file
from wheelyard.jobs.models import FileRow
from wheelyard.simple_index import JSON
from wheelyard.upstream import pip_index

UV = Path(sysconfig.get_path("scripts")) / "uv"
PIP = (sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--no-deps")


class Upstream:
    """The index behind ours, and the way to end it."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.site: IndexSite = self._stack.enter_context(serve_index())

    def end(self):
        self._stack.close()


@pytest.fixture
def upstream(monkeypatch):
    # How this machine's pip goes to its index has nothing to do with the one on loopback.
    monkeypatch.setattr(pip_index, "read_pip_configuration", dict)
    behind = Upstream()
    with stamina.set_testing(True, attempts=2, cap=True):  # no pauses
        yield behind
    behind.end()


@pytest.fixture
def site(upstream):
    return upstream.site


@pytest.fixture
def door(settings_with, redis_url, serve, site):
    return serve(settings_with(redis_url=redis_url, index_url=site.url))


@pytest.fixture
def policy(door):
    """Sets the policy of the channel `default`; all of upstream to begin with."""

    def set_policy(**fields):
        door.services.channels.change("default", lambda channel: replace(channel, **fields), "test")

    set_policy(upstream=UpstreamPolicy.ALL)
    return set_policy


def wheel_with_version(site, project, version, **how):
    name = project.replace("-", "_")
    return site.add_wheel(project, version, files={f"{name}/version.py": f"V = {version!r}\n"}, **how)


def publish(services, project, version, origin):
    """A wheel in the channel `default`, uploaded by the team or built here."""
    name = project.replace("-", "_")
    modules = {f"{name}/version.py": f"V = {version!r}\n", f"{name}/ours.py": ""}
    body = make_wheel(project, version, files=modules)
    services.store.put_blob(body, Digest.of(body))
    file = IndexFile(
        channel="default", project=project, version=version, origin=origin,
        filename=f"{name}-{version}-py3-none-any.whl", digest=Digest.of(body), size=len(body),
        metadata_digest=None, published_at=1_764_000_000.0,
    )  # fmt: skip
    with services.catalogue.database.transaction() as session:
        services.catalogue.add(session, keep_file(services.store, file))


def run(*argv, cwd):
    """A program with an environment that names no other index."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(cwd),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_NO_CONFIG": "1",
    }
    done = subprocess.run(
        [str(part) for part in argv], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(target, project):
    return (target / project.replace("-", "_") / "version.py").read_text()


def pip_install(tmp_path, folder, requirement, *indexes):
    run(*PIP, "--target", tmp_path / folder, requirement, *indexes, cwd=tmp_path)
    return tmp_path / folder


def uv_install(tmp_path, folder, requirement, *indexes):
    if not UV.exists():
        pytest.skip("uv is not installed")
    run(
        UV, "pip", "install", "--no-cache", "--python", sys.executable, "--target", tmp_path / folder,
        requirement, *indexes, cwd=tmp_path,
    )  # fmt: skip
    return tmp_path / folder


def files(door, project, path="/simple/"):
    answer = door.guest.get(f"{path}{project}/", headers={"accept": JSON})
    assert answer.status_code == 200, answer.text
    return {file["filename"]: file for file in answer.json()["files"]}


def tally(door, what, outcome):
    line = f'wheelyard_upstream_total{{outcome="{outcome}",what="{what}"}} '
    return next(
        float(text.removeprefix(line))
        for text in door.guest.get("/metrics").text.splitlines()
        if text.startswith(line)
    )


def test_pip_and_uv_install_what_was_served_once_when_upstream_is_gone(door, policy, upstream, tmp_path):
    wheel_with_version(upstream.site, "demo", "1.0")
    ours = ("--index-url", f"{door.url}/simple/")
    assert installed(pip_install(tmp_path, "first", "demo", *ours), "demo") == "V = '1.0'\n"
    upstream.end()
    assert installed(pip_install(tmp_path, "second", "demo", *ours), "demo") == "V = '1.0'\n"
    assert installed(uv_install(tmp_path, "third", "demo", *ours), "demo") == "V = '1.0'\n"
    assert upstream.site.asked.count("/packages/demo/demo-1.0-py3-none-any.whl") == 1


def test_a_name_of_the_team_is_never_taken_from_upstream(door, policy, site, tmp_path):
    """Dependency confusion: somebody puts a higher version of an internal name on the public index."""
    metadata = b"Metadata-Version: 2.1\nName: internal-lib\nVersion: 99.0\n\n"
    wheel_with_version(site, "internal-lib", "99.0", metadata=metadata)
    publish(door.services, "internal-lib", "1.0", Origin.UPLOADED)
    ours, theirs = f"{door.url}/simple/", site.url
    # Who gives an installer both indexes gets the attacker's: the highest version, or the index named first.
    both = ("--index-url", ours, "--extra-index-url", theirs)
    assert (
        installed(pip_install(tmp_path, "pip-both", "internal-lib", *both), "internal-lib") == "V = '99.0'\n"
    )
    assert installed(uv_install(tmp_path, "uv-both", "internal-lib", *both), "internal-lib") == "V = '99.0'\n"
    # Who installs from ours alone gets the team's, and upstream's others as well.
    asked = len(site.asked)
    for install, folder in ((pip_install, "pip-ours"), (uv_install, "uv-ours")):
        target = install(tmp_path, folder, "internal-lib", "--index-url", ours)
        assert installed(target, "internal-lib") == "V = '1.0'\n"
    assert len(site.asked) == asked, "upstream was not even asked"
    digest = hashlib.sha256(site.projects["internal-lib"][0].body).hexdigest()
    address = f"/files/{digest}/internal_lib-99.0-py3-none-any.whl"
    assert door.guest.get(address).status_code == 404
    assert door.guest.get(f"{address}.metadata").status_code == 404


def test_a_name_that_the_team_claimed_has_no_page_before_it_has_a_file(door, policy, site):
    wheel_with_version(site, "internal-lib", "99.0")
    assert list(files(door, "internal-lib")) == ["internal_lib-99.0-py3-none-any.whl"]
    door.services.projects.set_owned("Internal_Lib", True, "test")
    answer = door.guest.get("/simple/internal-lib/", headers={"accept": JSON})
    assert answer.status_code == 404
    assert "99.0" not in answer.text


def test_an_upload_to_any_channel_makes_the_name_the_teams(door, policy, site):
    wheel_with_version(site, "internal-lib", "99.0")
    door.services.channels.create(replace(door.services.channels.get("default"), name="other"), "test")
    publish(door.services, "internal-lib", "1.0", Origin.UPLOADED)
    answer = door.guest.get("/channels/other/simple/internal-lib/", headers={"accept": JSON})
    assert answer.status_code == 404


def test_a_name_stays_the_teams_when_its_last_file_is_gone(door, policy, site):
    wheel_with_version(site, "demo", "99.0")
    answer = door.http.post(
        "/legacy/",
        data={":action": "file_upload", "protocol_version": "1"},
        files={"content": ("demo-1.0-py3-none-any.whl", wheel(), "application/octet-stream")},
    )
    assert answer.status_code == 200, answer.text
    assert list(files(door, "demo")) == ["demo-1.0-py3-none-any.whl"]
    with door.services.catalogue.database.transaction() as session:
        session.execute(delete(FileRow))
    assert door.guest.get("/simple/demo/").status_code == 404
    door.services.projects.set_owned("demo", False, "test")
    assert list(files(door, "demo")) == ["demo-99.0-py3-none-any.whl"]


def test_a_wheel_that_was_built_here_stands_before_upstreams(door, policy, site):
    wheel_with_version(site, "demo", "1.0", yanked="ours is better")
    wheel_with_version(site, "demo", "2.0")
    publish(door.services, "demo", "1.0", Origin.BUILT)
    page = files(door, "demo")
    assert list(page) == ["demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"]
    assert not page["demo-1.0-py3-none-any.whl"].get("yanked")
    assert door.guest.get(page["demo-1.0-py3-none-any.whl"]["url"]).content != site.projects["demo"][0].body


def test_a_page_says_of_upstreams_files_what_upstream_says(door, policy, site):
    there = site.add_wheel(
        "demo", "1.0", requires_python=">=3.8", metadata=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        uploaded="2025-01-02T03:04:05.000000Z", yanked="broken",
    )  # fmt: skip
    site.add_sdist("demo", "0.9", hashless=True)
    (entry,) = files(door, "demo").values()
    digest = hashlib.sha256(there.body).hexdigest()
    assert entry["hashes"] == {"sha256": digest}
    assert entry["url"].endswith(f"/files/{digest}/{there.filename}")
    assert entry["requires-python"] == ">=3.8"
    assert entry["core-metadata"] == {"sha256": hashlib.sha256(there.metadata).hexdigest()}
    assert entry["yanked"] == "broken"
    assert entry["size"] == len(there.body)
    assert entry["upload-time"].startswith("2025-01-02T03:04:05")
    assert site.url not in door.guest.get("/simple/demo/").text


def test_a_resolver_downloads_no_wheel(door, policy, site, tmp_path):
    if not UV.exists():
        pytest.skip("uv is not installed")
    text = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: other\n\n"
    site.add_wheel("demo", "1.0", requires=("other",), metadata=text)
    site.add_wheel("other", "3.0", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 3.0\n\n")
    (tmp_path / "requirements.in").write_text("demo\n")
    lock = run(
        UV,
        "pip",
        "compile",
        "--no-cache",
        "--index-url",
        f"{door.url}/simple/",
        "requirements.in",
        cwd=tmp_path,
    )
    assert "demo==1.0" in lock
    assert "other==3.0" in lock
    assert not [path for path in site.asked if path.endswith(".whl")]


def test_a_wheel_without_metadata_upstream_has_some_as_soon_as_it_is_kept(door, policy, site):
    there = wheel_with_version(site, "demo", "1.0", requires=("other>=2",))
    (before,) = files(door, "demo").values()
    assert not before.get("core-metadata")
    assert door.guest.get(f"{before['url']}.metadata").status_code == 404
    assert door.guest.get(before["url"]).content == there.body
    metadata = door.guest.get(f"{before['url']}.metadata")
    assert b"Requires-Dist: other>=2" in metadata.content
    # Another process, or this one some seconds later.
    page = door.services.pages.read("default", "demo")
    assert [file.metadata for file in page.files] == [Digest.of(metadata.content)]


def test_many_that_want_a_file_at_once_fetch_it_once(door, policy, site):
    there = wheel_with_version(site, "demo", "1.0")
    (entry,) = files(door, "demo").values()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: door.guest.get(entry["url"]), range(12)))
    assert {answer.content for answer in answers} == {there.body}
    assert site.asked.count(f"/packages/demo/{there.filename}") == 1
    assert tally(door, "file", "fetched") == 1


@pytest.fixture
def slow_file(door, policy, site, monkeypatch):
    """A file of 3 MB of which the second half comes when the test lets it."""
    monkeypatch.setattr(builder_service.files, "_PATIENCE_SECONDS", 0.0)
    big = os.urandom(3 << 20)

    def put(**how):
        return site.add("demo", "demo-1.0.tar.gz", big, pause_at=2 << 20, **how)

    return put


def test_a_large_file_is_sent_on_while_it_comes(door, slow_file, until):
    there = slow_file()
    (entry,) = files(door, "demo").values()
    with door.guest.stream("GET", entry["url"]) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(len(there.body))
        chunks = answer.iter_bytes(1 << 18)
        received = next(chunks)
        while len(received) < 1 << 20:
            received += next(chunks)
        assert door.services.store.blob_size(Digest.of(there.body)) is None
        there.resume.set()
        received += b"".join(chunks)
    assert received == there.body
    # It is in the store a moment after its last byte was sent on.
    until(lambda: "immutable" in door.guest.get(entry["url"]).headers["cache-control"])
    assert door.guest.get(entry["url"]).content == there.body


def test_of_a_large_file_that_is_the_wrong_one_nobody_gets_all(door, slow_file):
    there = slow_file(listed_sha256="ab" * 32)
    (entry,) = files(door, "demo").values()
    received = []

    def receive(answer):
        for chunk in answer.iter_bytes(1 << 18):
            received.append(len(chunk))
            there.resume.set()

    with door.guest.stream("GET", entry["url"]) as answer, pytest.raises(httpx2.RemoteProtocolError):
        receive(answer)
    assert 0 < sum(received) < len(there.body)
    assert door.services.store.blob_size(Digest("ab" * 32)) is None


def test_who_goes_away_does_not_stop_a_file_that_comes(door, slow_file, until):
    there = slow_file()
    (entry,) = files(door, "demo").values()
    with door.guest.stream("GET", entry["url"]) as answer:
        next(answer.iter_bytes(1 << 18))
    there.resume.set()
    until(lambda: door.services.store.blob_size(Digest.of(there.body)))


def test_other_bytes_than_the_page_lists_are_never_given(door, policy, site):
    there = wheel_with_version(site, "demo", "1.0", listed_sha256="ab" * 32)
    (entry,) = files(door, "demo").values()
    answer = door.guest.get(entry["url"])
    assert answer.status_code >= 400
    assert answer.json()["kind"] == "refused"
    assert hashlib.sha256(there.body).hexdigest() in answer.text
    assert door.services.store.blob_size(Digest("ab" * 32)) is None
    assert tally(door, "file", "refused") == 1


def test_a_file_that_no_channel_shows_is_not_fetched(door, policy, site):
    there = wheel_with_version(site, "demo", "1.0")
    (entry,) = files(door, "demo").values()
    policy(upstream=UpstreamPolicy.LISTED, projects=("other",))
    assert door.guest.get(entry["url"]).status_code == 404
    policy(upstream=UpstreamPolicy.ALL, min_age=3600)
    assert door.guest.get(entry["url"]).status_code == 404
    policy(min_age=0)
    assert door.guest.get(entry["url"]).content == there.body
    policy(upstream=UpstreamPolicy.OFF)
    assert door.guest.get("/simple/demo/").status_code == 404
    assert door.guest.get(entry["url"]).content == there.body, "a lock that names it goes on working"


def test_a_channel_takes_kinds_and_waits_out_its_cooldown(door, policy, site):
    wheel_with_version(site, "demo", "1.0", uploaded="2020-01-01T00:00:00Z")
    wheel_with_version(site, "demo", "1.1", uploaded="2999-01-01T00:00:00Z")
    site.add_sdist("demo", "1.0", uploaded="2020-01-01T00:00:00Z")
    policy(min_age=86400)
    assert list(files(door, "demo")) == ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"]
    policy(kinds=UpstreamKinds.SDISTS)
    assert list(files(door, "demo")) == ["demo-1.0.tar.gz"]


def test_a_page_that_is_late_says_so(door, policy, site, monkeypatch):
    wheel_with_version(site, "demo", "1.0")
    assert "cache-status" not in door.guest.get("/simple/demo/").headers
    site.fail_with = 503
    monkeypatch.setattr(door.services.upstream.pages, "_clock", lambda: time.time() + 7200)
    policy(min_age=0, kinds=UpstreamKinds.WHEELS)
    answer = door.guest.get("/simple/demo/")
    assert "demo-1.0-py3-none-any.whl" in answer.text
    assert answer.headers["cache-status"].startswith("wheelyard-upstream; hit; ttl=-")
    assert tally(door, "page", "stale") == 1


def test_without_upstream_a_page_that_was_never_seen_is_no_missing_project(door, policy, site):
    site.fail_with = 503
    for path in ("/simple/demo/", f"/files/{'0' * 64}/demo-1.0-py3-none-any.whl"):
        answer = door.guest.get(path, headers={"accept": JSON})
        assert answer.status_code == 503, answer.text
        assert answer.json()["kind"] == "index-unavailable"
        assert answer.headers["retry-after"]
    assert tally(door, "page", "failed") >= 1


def test_pages_of_names_that_need_no_upstream_never_ask_it(door, policy, site):
    policy(upstream=UpstreamPolicy.LISTED, projects=("demo",))
    publish(door.services, "mine", "1.0", Origin.BUILT)
    files(door, "mine")
    assert door.guest.get("/simple/absent/").status_code == 404
    assert door.guest.get(f"/files/{'0' * 64}/absent-1.0-py3-none-any.whl").status_code == 404
    assert site.asked == []


def test_an_index_that_would_be_its_own_upstream_is_refused(upstream, settings_with, redis_url, serve):
    door = serve(
        settings_with(
            redis_url=redis_url, public_url="http://door.test", index_url="http://door.test/simple/"
        )
    )
    door.services.channels.change("default", lambda one: replace(one, upstream=UpstreamPolicy.ALL), "test")
    answer = door.guest.get("/simple/demo/", headers={"accept": JSON})
    assert answer.status_code == 503
    assert "itself" in answer.json()["detail"]
