"""The index documents: HTML and JSON that say the same, and nothing that a name could smuggle in."""

import json
import re
from html import unescape
from typing import Any

import pytest

from wheelyard.digests import Digest
from wheelyard.index_file import FileKind
from wheelyard.project_page import PageFile, ProjectPage
from wheelyard.projects import Status
from wheelyard.simple_index import (
    file_path,
    project_html,
    project_json,
    project_list_html,
    project_list_json,
)

SITE = "https://wheels.example"


def wheel(**fields):
    known: dict[str, Any] = {
        "version": "2.4.6",
        "filename": "numpy-2.4.6-cp311-cp311-manylinux_2_36_x86_64.whl",
        "kind": FileKind.WHEEL,
        "digest": Digest.of(b"wheel"),
        "size": 5,
        "requires_python": ">=3.11,<3.15",
        "metadata": Digest.of(b"metadata"),
        "uploaded_at": 1_764_000_000.25,
    }
    return PageFile(**(known | fields))


def page_of(*files, status=Status.ACTIVE, reason=""):
    return ProjectPage(channel="default", project="numpy", status=status, reason=reason, files=files)


def json_of(*files, site=SITE, **fields):
    return json.loads(project_json(page_of(*files, **fields), site))


def links_of(*files, site=SITE, **fields):
    html = project_html(page_of(*files, **fields), site).decode()
    return [
        {name: unescape(value) for name, value in re.findall(r'([a-z-]+)="([^"]*)"', link)}
        for link in re.findall(r"<a .*</a>", html)
    ]


def metas_of(page):
    return {
        name: unescape(text) for name, text in re.findall(r'<meta name="([^"]*)" content="([^"]*)">', page)
    }


def test_the_json_page_says_all_that_installers_ask_for():
    file = wheel()
    page = json_of(file)
    assert page["meta"] == {"api-version": "1.4"}
    assert page["project-status"] == {"status": "active"}
    assert (page["name"], page["versions"]) == ("numpy", ["2.4.6"])
    assert page["files"] == [
        {
            "filename": file.filename,
            "url": f"/files/{file.digest.hex}/{file.filename}",
            "hashes": {"sha256": file.digest.hex},
            "core-metadata": {"sha256": file.metadata.hex},
            "size": 5,
            "upload-time": "2025-11-24T16:00:00.250000Z",
            "requires-python": ">=3.11,<3.15",
        }
    ]


def test_the_html_page_says_the_same():
    file = wheel()
    assert links_of(file) == [
        {
            "href": f"{file_path(file)}#sha256={file.digest.hex}",
            "data-requires-python": ">=3.11,<3.15",
            "data-core-metadata": f"sha256={file.metadata.hex}",
            "data-dist-info-metadata": f"sha256={file.metadata.hex}",
        }
    ]
    page = project_html(page_of(file), SITE).decode()
    assert metas_of(page) == {"pypi:repository-version": "1.4", "pypi:project-status": "active"}
    assert "&gt;=3.11,&lt;3.15" in page


def test_metadata_of_unknown_digest_and_none_are_told_apart():
    assert json_of(wheel(metadata=True))["files"][0]["core-metadata"] is True
    assert "core-metadata" not in json_of(wheel(metadata=False))["files"][0]
    assert links_of(wheel(metadata=True))[0]["data-core-metadata"] == "true"
    assert "data-core-metadata" not in links_of(wheel(metadata=False))[0]


def test_what_upstream_does_not_say_is_left_out():
    (file,) = json_of(wheel(size=None, uploaded_at=None))["files"]
    assert not {"size", "upload-time"} & set(file)


@pytest.mark.parametrize(("reason", "said"), [("it loses rows", "it loses rows"), ("", True)])
def test_a_yank_is_said_with_its_reason_in_both_forms(reason, said):
    assert json_of(wheel(yanked=reason))["files"][0]["yanked"] == said
    assert links_of(wheel(yanked=reason))[0]["data-yanked"] == reason
    assert "yanked" not in json_of(wheel())["files"][0]
    assert "data-yanked" not in links_of(wheel())[0]


def test_a_status_is_said_with_its_reason_in_both_forms():
    given = {"status": Status.DEPRECATED, "reason": 'use "other" <now>'}
    assert json_of(wheel(), **given)["project-status"] == {"status": "deprecated", "reason": given["reason"]}
    metas = metas_of(project_html(page_of(wheel(), **given), SITE).decode())
    assert metas["pypi:project-status"] == "deprecated"
    assert metas["pypi:project-status-reason"] == given["reason"]


OURS = "/integrity/default/x.whl/provenance"


@pytest.mark.parametrize(
    ("site", "given", "said"),
    [
        ("https://wheels.example", OURS, f"https://wheels.example{OURS}"),
        ("http://127.0.0.1:8765", OURS, f"http://127.0.0.1:8765{OURS}"),
        ("http://localhost", OURS, f"http://localhost{OURS}"),
        ("http://wheels.example", OURS, None),
        ("http://wheels.example", "https://up.example/p", "https://up.example/p"),
        ("https://wheels.example", "http://up.example/p", None),
        ("https://wheels.example", "", None),
    ],
)
def test_provenance_is_named_by_a_whole_address_of_a_secure_origin(site, given, said):
    assert json_of(wheel(provenance=given), site=site)["files"][0].get("provenance") == said
    assert links_of(wheel(provenance=given), site=site)[0].get("data-provenance") == said


def test_a_quarantined_project_has_a_page_without_files():
    given = {"status": Status.QUARANTINED, "reason": "malware"}
    assert (json_of(**given)["files"], links_of(**given)) == ([], [])


@pytest.mark.parametrize("render", [project_html, project_json])
def test_a_file_that_says_nothing_of_python_has_no_such_field(render):
    assert b"requires-python" not in render(page_of(wheel(requires_python="")))


def test_a_wheels_own_words_stay_words():
    page = project_html(page_of(wheel(requires_python='"><script>alert(1)</script>')), SITE).decode()
    assert "<script>" not in page
    assert "<b>" not in project_list_html(["<b>"]).decode()


def test_the_root_page_lists_the_projects():
    assert json.loads(project_list_json(["a", "b"]))["projects"] == [{"name": "a"}, {"name": "b"}]
    assert re.findall(r'<a href="([^"]*)">([^<]*)</a>', project_list_html(["a", "b-c"]).decode()) == [
        ("a/", "a"),
        ("b-c/", "b-c"),
    ]


def test_the_same_files_make_the_same_bytes():
    files = [wheel(), wheel(version="2.4.5", filename="numpy-2.4.5-py3-none-any.whl")]
    assert project_json(page_of(*files)) == project_json(page_of(*files))
    assert json_of(*files)["versions"] == ["2.4.5", "2.4.6"]
