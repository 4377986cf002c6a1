"""The index as installers see it: pages, files, ranges, and real pip and uv installing from it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx2
import pytest
from pypi_simple import ProjectStatus, PyPISimple

from wheelyard.channels import Channel
from wheelyard.projects import Status
from wheelyard.simple_index import HTML, JSON

PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


@pytest.fixture
def record(front_door, publish):
    return publish(front_door.services)


@pytest.fixture
def file_url(record):
    return f"/files/{record.digest.hex}/{record.filename}"


def make_channel(door, name, **fields):
    if name != "default":
        door.services.channels.create(Channel(name=name, **fields), "the-test")


def run(*argv, cwd):
    """A program with an environment that names no other index."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(cwd),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_NO_CONFIG": "1",
    }
    done = subprocess.run(
        argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("channel", ["default", "nightly"])
def test_pip_installs_from_a_channel(front_door, publish, tmp_path, channel):
    make_channel(front_door, channel)
    publish(front_door.services, channel=channel)
    path = "/simple/" if channel == "default" else f"/channels/{channel}/simple/"
    run(
        sys.executable, "-m", "pip", "install", "--index-url", front_door.url + path, "--no-cache-dir",
        "--disable-pip-version-check", "--target", str(tmp_path / "site"), "Tiny_Thing>=1", cwd=tmp_path,
    )  # fmt: skip
    assert (
        run(sys.executable, "-c", "import tiny_thing; print(tiny_thing.VERSION)", cwd=tmp_path / "site")
        == "1.0\n"
    )


def test_uv_installs_from_the_index(front_door, record, tmp_path):
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed")
    run(
        str(uv), "pip", "install", "--index-url", f"{front_door.url}/simple/", "--no-cache",
        "--python", sys.executable, "--target", str(tmp_path / "site"), "tiny.thing==1.0", cwd=tmp_path,
    )  # fmt: skip
    assert (tmp_path / "site" / "tiny_thing.py").is_file()


def test_pip_takes_no_wheel_whose_bytes_are_not_its_hashs(front_door, record, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"tiny-thing==1.0 --hash=sha256:{record.digest.hex}\n")
    run(
        sys.executable, "-m", "pip", "download", "--index-url", f"{front_door.url}/simple/", "--no-cache-dir",
        "--disable-pip-version-check", "--require-hashes", "-r", str(requirements), "-d", str(tmp_path),
        cwd=tmp_path,
    )  # fmt: skip
    assert (tmp_path / record.filename).stat().st_size == record.size


@pytest.mark.parametrize("accept", [JSON, HTML, "text/html"])
def test_a_strict_reader_finds_all_that_the_pages_may_say(front_door, record, accept):
    with PyPISimple(f"{front_door.url}/simple/") as reader:
        assert reader.get_index_page(accept=accept).projects == ["tiny-thing"]
        front_door.services.yanks.set("default", record.filename, "loses rows", "the-test")
        front_door.services.projects.set_status("tiny-thing", Status.DEPRECATED, "use another", "the-test")
        page = reader.get_project_page("Tiny.Thing", accept=accept)
        (package,) = page.packages
        assert page.repository_version == "1.4"
        assert (page.status, page.status_reason) == (ProjectStatus.DEPRECATED, "use another")
        assert (package.is_yanked, package.yanked_reason) == (True, "loses rows")
        assert (package.filename, package.project, package.version) == (record.filename, "tiny_thing", "1.0")
        assert package.digests == {"sha256": record.digest.hex}
        assert package.requires_python == ">=3.8"
        assert package.metadata_digests == {"sha256": record.metadata_digest.hex}
        assert b"Name: tiny-thing" in reader.get_package_metadata_bytes(package)
        if accept == JSON:
            assert package.size == record.size
            assert package.upload_time is not None


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (PIP, JSON),
        (JSON, JSON),
        (HTML, HTML),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/vnd.pypi.simple.v1+json;q=0.2, text/html", "text/html; charset=utf-8"),
        ("application/vnd.pypi.simple.v2+json, application/vnd.pypi.simple.v1+html;q=0.1", HTML),
    ],
)
def test_the_page_comes_in_the_form_that_was_asked_for(front_door, record, accept, media_type):
    for path in ("/simple/", "/simple/tiny-thing/"):
        answer = front_door.guest.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.headers["vary"] == "Accept, Accept-Encoding"


def test_a_form_that_does_not_exist_is_refused_and_a_query_wins(front_door, record):
    answer = front_door.guest.get("/simple/", headers={"accept": "application/vnd.pypi.simple.v2+json"})
    assert (answer.status_code, answer.json()["kind"]) == (406, "not-acceptable")
    answer = front_door.guest.get("/simple/", params={"format": JSON}, headers={"accept": "text/html"})
    assert answer.headers["content-type"] == JSON


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/simple", "/simple/"),
        ("/simple/tiny-thing", "/simple/tiny-thing/"),
        ("/simple/Tiny__Thing/", "/simple/tiny-thing/"),
        ("/simple/TINY.thing", "/simple/tiny-thing/"),
        ("/channels/nightly/simple", "/channels/nightly/simple/"),
        ("/channels/nightly/simple/Tiny_Thing/", "/channels/nightly/simple/tiny-thing/"),
    ],
)
def test_other_spellings_lead_to_the_canonical_address(front_door, path, target):
    answer = front_door.guest.get(path)
    assert (answer.status_code, answer.headers["location"]) == (301, target)


@pytest.mark.parametrize(
    "path",
    [
        "/simple/nothing/",
        "/simple/-bad/",
        "/simple/a%00b/",
        "/simple/a%2fb/",
        "/simple/%2e%2e/",
        "/channels/Bad/simple/",
    ],
)
def test_what_is_not_there_is_said_so(front_door, path):
    answer = front_door.guest.get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_channel_shows_only_its_own(front_door, record):
    make_channel(front_door, "nightly")
    page = front_door.guest.get("/channels/nightly/simple/", headers={"accept": JSON}).json()
    assert page["projects"] == []
    assert front_door.guest.get("/channels/nightly/simple/tiny-thing/").status_code == 404


def test_a_page_that_did_not_change_is_not_sent_again(front_door, record, publish):
    for form in (JSON, HTML):
        headers = {"accept": form}
        first = front_door.guest.get("/simple/tiny-thing/", headers=headers)
        again = {**headers, "if-none-match": first.headers["etag"]}
        assert front_door.guest.get("/simple/tiny-thing/", headers=again).status_code == 304
    publish(front_door.services, version="1.1")
    changed = front_door.guest.get("/simple/tiny-thing/", headers=again)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_head_says_what_get_would(front_door, record, file_url):
    for path in ("/simple/", "/simple/tiny-thing/", file_url, file_url + ".metadata"):
        head, get = front_door.guest.head(path), front_door.guest.get(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag"):
            assert head.headers[name] == get.headers[name]


def test_a_file_may_be_kept_for_ever(front_door, record, file_url):
    answer = front_door.guest.get(file_url)
    assert answer.headers["content-length"] == str(record.size)
    assert answer.headers["etag"] == f'"{record.digest}"'
    assert "immutable" in answer.headers["cache-control"]
    kept = front_door.guest.get(file_url, headers={"if-none-match": answer.headers["etag"]})
    assert (kept.status_code, kept.content) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=10-", slice(10, None)), ("bytes=-20", slice(-20, None)),
     ("bytes=5-99999999", slice(5, None)), ("bytes=-99999999", slice(None))],
)  # fmt: skip
def test_a_range_of_a_file_is_that_range(front_door, record, file_url, wanted, part):
    whole = front_door.guest.get(file_url).content
    answer = front_door.guest.get(file_url, headers={"range": wanted})
    assert (answer.status_code, answer.content) == (206, whole[part])
    first, _dash, rest = answer.headers["content-range"].removeprefix("bytes ").partition("-")
    last, _slash, size = rest.partition("/")
    assert (int(size), whole[int(first) : int(last) + 1]) == (record.size, whole[part])


@pytest.mark.parametrize("wanted", ["bytes=9-2", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4", "bytes=-", ""])
def test_what_is_no_range_brings_the_whole(front_door, record, file_url, wanted):
    answer = front_door.guest.get(file_url, headers={"range": wanted})
    assert (answer.status_code, len(answer.content)) == (200, record.size)


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=-0"])
def test_a_range_outside_the_file_is_refused(front_door, record, file_url, wanted):
    answer = front_door.guest.get(file_url, headers={"range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{record.size}"


def test_a_range_of_an_older_file_brings_the_whole(front_door, record, file_url):
    answer = front_door.guest.get(file_url, headers={"range": "bytes=0-1", "if-range": '"sha256:other"'})
    assert (answer.status_code, len(answer.content)) == (200, record.size)


@pytest.mark.parametrize(
    "tail", ["other-1.0-py3-none-any.whl", "..%2f..%2fpasswd", "a%00.whl", "x.metadata", "%0d%0aX"]
)
def test_a_file_under_another_name_is_not_found(front_door, record, tail):
    answer = front_door.guest.get(f"/files/{record.digest.hex}/{tail}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_files_can_come_from_the_store_itself(settings_with, redis_url, serve, publish, tmp_path):
    door = serve(settings_with(redis_url=redis_url, serve_files="redirect"))
    record = publish(door.services)
    path = f"/files/{record.digest.hex}/{record.filename}"
    answer = door.guest.get(path)
    assert answer.status_code == 302
    assert (
        httpx2.get(answer.headers["location"], trust_env=False).content
        == door.services.store.open_blob(record.digest).read()
    )
    run(
        sys.executable, "-m", "pip", "download", "--index-url", f"{door.url}/simple/", "--no-cache-dir",
        "--disable-pip-version-check", "-d", str(tmp_path), "tiny-thing", cwd=tmp_path,
    )  # fmt: skip
    assert (tmp_path / record.filename).stat().st_size == record.size


def test_the_cache_shows_its_wheels_and_of_what_each_was_made(front_door, record):
    listed = front_door.guest.get("/v1/wheels", params={"project": "TINY_thing"}).json()["wheels"]
    assert [(one["filename"], one["build_key"]) for one in listed] == [(record.filename, record.key)]
    assert front_door.guest.get("/v1/wheels", params={"channel": "nightly"}).json() == {"wheels": []}
    detail = front_door.guest.get(f"/v1/wheels/{record.key}").json()
    assert detail["record"] == json.loads(json.dumps(record.to_document()))
    assert [one["channel"] for one in detail["wheels"]] == ["default"]
    assert front_door.guest.get(f"/v1/wheels/{'0' * 64}").status_code == 404
