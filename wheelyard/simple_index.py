"""The simple API's documents: HTML and JSON of the same content, as version 1.4 of its specification says.

What they follow: PEP 503 and 691 (the two forms), 629 (version), 592 (yanked), 658 and 714 (metadata beside
a file), 700 (versions, size, upload time), 740 (provenance) and 792 (status). The fields of PEP 708 are left
out: what we show of upstream comes from one index, and a name that is the team's own is never mixed.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

from wheelyard.digests import Digest
from wheelyard.index_file import IndexFile
from wheelyard.project_page import PageFile, ProjectPage

API_VERSION = "1.4"
HTML = "application/vnd.pypi.simple.v1+html"
JSON = "application/vnd.pypi.simple.v1+json"


def file_path(file: IndexFile | PageFile) -> str:
    """The file's own address below the service's, which never changes: `/files/HEX/FILENAME`."""
    return f"/files/{file.digest.hex}/{file.filename}"


def project_list_json(projects: Sequence[str]) -> bytes:
    """The root page in JSON."""
    return _json({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in projects]})


def project_list_html(projects: Sequence[str]) -> bytes:
    """The root page in HTML."""
    links = [f'<a href="{escape(name)}/">{escape(name)}</a>' for name in projects]
    return _page("Simple index", [], links)


def project_json(page: ProjectPage, site: str = "", address: Callable[[PageFile], str] = file_path) -> bytes:
    """A project's page in JSON.

    :param site: the service's own address, without a slash at its end: provenance is named by whole ones.
    :param address: of a file, absolute or relative to the page.
    """
    status = {"status": page.status.value, **({"reason": page.reason} if page.reason else {})}
    return _json(
        {
            "meta": {"api-version": API_VERSION},
            "name": page.project,
            "project-status": status,
            "versions": page.versions,
            "files": [_file(file, site, address) for file in page.files],
        }
    )


def project_html(page: ProjectPage, site: str = "", address: Callable[[PageFile], str] = file_path) -> bytes:
    """A project's page in HTML; the parameters are those of `project_json`."""
    metas = [("pypi:project-status", page.status.value)]
    if page.reason:
        metas.append(("pypi:project-status-reason", page.reason))
    return _page(f"Links for {page.project}", metas, [_link(file, site, address) for file in page.files])


def _file(file: PageFile, site: str, address: Callable[[PageFile], str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "filename": file.filename,
        "url": address(file),
        "hashes": {"sha256": file.digest.hex},
    }
    if file.size is not None:
        document["size"] = file.size
    if file.uploaded_at is not None:
        moment = datetime.fromtimestamp(file.uploaded_at, UTC)
        document["upload-time"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # PEP 714's new name only: older pips, Debian 12's among them, fail on a mapping under the old one.
    if file.metadata is not False:
        document["core-metadata"] = True if file.metadata is True else {"sha256": file.metadata.hex}
    if file.requires_python:
        document["requires-python"] = file.requires_python
    if file.yanked is not None:
        document["yanked"] = file.yanked or True
    if provenance := _provenance(file, site):
        document["provenance"] = provenance
    return document


def _link(file: PageFile, site: str, address: Callable[[PageFile], str]) -> str:
    attributes = {"href": f"{address(file)}#sha256={file.digest.hex}"}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.metadata is not False:
        value = f"sha256={file.metadata.hex}" if isinstance(file.metadata, Digest) else "true"
        attributes |= {"data-core-metadata": value, "data-dist-info-metadata": value}
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    if provenance := _provenance(file, site):
        attributes["data-provenance"] = provenance
    text = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{escape(file.filename)}</a>"


def _provenance(file: PageFile, site: str) -> str:
    """The whole address of a file's provenance; empty where it would not be that of a secure origin."""
    if not file.provenance:
        return ""
    address = f"{site}{file.provenance}" if file.provenance.startswith("/") else file.provenance
    return address if _is_secure(address) else ""


def _is_secure(address: str) -> bool:
    """Whether an origin is one that a client may trust to be who it says: HTTPS, or this machine itself."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "http" and loopback


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _page(title: str, metas: Sequence[tuple[str, str]], links: Sequence[str]) -> bytes:
    body = "\n".join(f"    {link}<br>" for link in links)
    head = "".join(
        f'    <meta name="{name}" content="{escape(content)}">\n'
        for name, content in (("pypi:repository-version", API_VERSION), *metas)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n'
        f"{head}    <title>{escape(title)}</title>\n"
        f"  </head>\n  <body>\n    <h1>{escape(title)}</h1>\n{body}\n  </body>\n</html>\n"
    ).encode()
