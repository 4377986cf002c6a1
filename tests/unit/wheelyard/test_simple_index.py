"""The index documents: HTML and JSON that say the same, and nothing that a name could smuggle in."""

import json
import re
from html import unescape
from typing import Any

import pytest

from wheelyard.digests import Digest
from wheelyard.index_file import IndexFile
from wheelyard.simple_index import (
    file_path,
    project_html,
    project_json,
    project_list_html,
    project_list_json,
)


def wheel(**fields):
    known: dict[str, Any] = {
        "channel": "default",
        "project": "numpy",
        "version": "2.4.6",
        "filename": "numpy-2.4.6-cp311-cp311-manylinux_2_36_x86_64.whl",
        "digest": Digest.of(b"wheel"),
        "size": 5,
        "requires_python": ">=3.11,<3.15",
        "metadata_digest": Digest.of(b"metadata"),
        "build_key": "0" * 64,
        "published_at": 1_764_000_000.25,
    }
    return IndexFile(**(known | fields))


def test_the_json_page_says_all_that_installers_ask_for():
    file = wheel()
    page = json.loads(project_json("numpy", [file]))
    assert page["meta"] == {"api-version": "1.1"}
    assert (page["name"], page["versions"]) == ("numpy", ["2.4.6"])
    assert page["files"] == [
        {
            "filename": file.filename,
            "url": f"/files/{file.digest.hex}/{file.filename}",
            "hashes": {"sha256": file.digest.hex},
            "core-metadata": {"sha256": file.metadata_digest.hex},
            "size": 5,
            "upload-time": "2025-11-24T16:00:00.250000Z",
            "requires-python": ">=3.11,<3.15",
        }
    ]


def test_the_html_page_says_the_same():
    file = wheel()
    page = project_html("numpy", [file]).decode()
    (link,) = re.findall(r"<a .*</a>", page)
    attributes = {name: unescape(value) for name, value in re.findall(r'([a-z-]+)="([^"]*)"', link)}
    assert attributes == {
        "href": f"{file_path(file)}#sha256={file.digest.hex}",
        "data-requires-python": ">=3.11,<3.15",
        "data-core-metadata": f"sha256={file.metadata_digest.hex}",
        "data-dist-info-metadata": f"sha256={file.metadata_digest.hex}",
    }
    assert 'name="pypi:repository-version" content="1.1"' in page
    assert "&gt;=3.11,&lt;3.15" in link


@pytest.mark.parametrize("render", [project_html, project_json])
def test_a_file_that_says_nothing_of_python_has_no_such_field(render):
    assert b"requires-python" not in render("numpy", [wheel(requires_python="")])


def test_a_wheels_own_words_stay_words():
    page = project_html("numpy", [wheel(requires_python='"><script>alert(1)</script>')]).decode()
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
    assert project_json("numpy", files) == project_json("numpy", list(files))
    assert json.loads(project_json("numpy", files))["versions"] == ["2.4.5", "2.4.6"]
