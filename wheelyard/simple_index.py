"""The simple API's documents: PEP 503 HTML and PEP 691 JSON, of the same files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from wheelyard.index_file import IndexFile

API_VERSION = "1.1"
HTML = "application/vnd.pypi.simple.v1+html"
JSON = "application/vnd.pypi.simple.v1+json"


def file_path(file: IndexFile) -> str:
    """The file's own address below the service's, which never changes: `/files/HEX/FILENAME`."""
    return f"/files/{file.digest.hex}/{file.filename}"


def project_list_json(projects: Sequence[str]) -> bytes:
    """The root page (PEP 691)."""
    return _json({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in projects]})


def project_list_html(projects: Sequence[str]) -> bytes:
    """The root page (PEP 503)."""
    return _page("Simple index", [f'<a href="{escape(name)}/">{escape(name)}</a>' for name in projects])


def project_json(project: str, files: Sequence[IndexFile]) -> bytes:
    """A project's page (PEP 691, with the sizes and times of PEP 700 and the metadata of PEP 658 and 714)."""
    return _json(
        {
            "meta": {"api-version": API_VERSION},
            "name": project,
            "versions": sorted({file.version for file in files}),
            "files": [_file(file) for file in files],
        }
    )


def project_html(project: str, files: Sequence[IndexFile]) -> bytes:
    """A project's page (PEP 503, with the metadata of PEP 658 and 714)."""
    links = []
    for file in files:
        python = f' data-requires-python="{escape(file.requires_python)}"' if file.requires_python else ""
        metadata = ""
        if file.metadata_digest is not None:
            value = f"sha256={file.metadata_digest.hex}"
            metadata = f' data-core-metadata="{value}" data-dist-info-metadata="{value}"'
        links.append(
            f'<a href="{escape(file_path(file))}#sha256={file.digest.hex}"{python}{metadata}>'
            f"{escape(file.filename)}</a>"
        )
    return _page(f"Links for {project}", links)


def _file(file: IndexFile) -> dict[str, Any]:
    # PEP 714's new name only: older pips, Debian 12's among them, fail on a mapping under the old one.
    document: dict[str, Any] = {
        "filename": file.filename,
        "url": file_path(file),
        "hashes": {"sha256": file.digest.hex},
        "size": file.size,
        "upload-time": datetime.fromtimestamp(file.published_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if file.metadata_digest is not None:
        document["core-metadata"] = {"sha256": file.metadata_digest.hex}
    if file.requires_python:
        document["requires-python"] = file.requires_python
    return document


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _page(title: str, links: Sequence[str]) -> bytes:
    body = "\n".join(f"    {link}<br>" for link in links)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n'
        f'    <meta name="pypi:repository-version" content="{API_VERSION}">\n'
        f"    <title>{escape(title)}</title>\n"
        f"  </head>\n  <body>\n    <h1>{escape(title)}</h1>\n{body}\n  </body>\n</html>\n"
    ).encode()
