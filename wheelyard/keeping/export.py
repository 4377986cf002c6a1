"""A static copy of a channel, which any web server, `--index-url` and `--find-links` can serve."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from wheelyard.catalogue import Catalogue
from wheelyard.channels import Channels
from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError, StoreUnavailable
from wheelyard.jobs.database import Database
from wheelyard.keeping.progress import Progress, no_progress
from wheelyard.project_page import PageFile, ProjectPage, ProjectPages
from wheelyard.simple_index import project_html, project_json, project_list_html, project_list_json
from wheelyard.store.contract import Store
from wheelyard.store.landing import disk_errors, landing_file, settle

_STATE = ".wheelyard-export.json"


@dataclass(frozen=True, slots=True)
class _Copied:
    """A file that an earlier export wrote: trusted for as long as its size and time are the same."""

    digest: str
    size: int
    modified: int


@dataclass(kw_only=True)
class Exported:
    """What an export did; sizes in bytes.

    :param copied: files that were written, metadata among them.
    :param same: files that were there already.
    :param removed: files that the channel shows no more.
    """

    projects: int = 0
    copied: int = 0
    same: int = 0
    removed: int = 0
    size: int = 0
    problems: list[str] = field(default_factory=list)


class Export:
    """Writes `simple/PROJECT/index.html` and `index.json`, and `files/NAME` with `NAME.metadata` beside it.

    Each file is in its place only when it is whole, bytes before the pages that name them; what has the
    right digest already is not copied again. The links are relative, so that the folder can be moved.
    Upstream's files are not in it: a copy is of what the team has.
    """

    def __init__(self, store: Store, database: Database, folder: Path) -> None:
        self._store = store
        self._channels = Channels(database, store)
        self._catalogue = Catalogue(database)
        self._pages = ProjectPages(database)
        self._folder = folder
        self._state: dict[str, _Copied] = {}

    def run(self, channel: str, progress: Progress = no_progress) -> Exported:
        """Write the channel, its base's files included; what an earlier export wrote beyond that goes.

        :raises NotFound: there is no such channel.
        :raises DiskFull: no room; what was written is whole, and the next run goes on from there.
        """
        chain = [one.name for one in self._channels.chain(channel)]
        projects = self._catalogue.projects(*chain)
        found, written = Exported(), set[str]()
        with disk_errors(f"{self._folder} could not be written", InfrastructureError):
            (self._folder / "files").mkdir(parents=True, exist_ok=True)
            self._read_state()
            shown = []
            try:
                for done, project in enumerate(projects, 1):
                    page = self._pages.read(channel, project)
                    if page is not None:
                        self._write_project(page, found, written)
                        shown.append(project)
                    progress("projects", done, len(projects))
                self._write("simple/index.html", project_list_html(shown))
                self._write("simple/index.json", project_list_json(shown))
                self._prune(written, shown, found)
            finally:
                self._write_state()
        found.projects = len(shown)
        return found

    def _write_project(self, page: ProjectPage, found: Exported, written: set[str]) -> None:
        files = []
        for file in page.files:
            try:
                self._copy(file.filename, file.digest, found)
                if isinstance(file.metadata, Digest):
                    self._copy(f"{file.filename}.metadata", file.metadata, found)
            except StoreUnavailable as error:
                # A store that is out raises here once more; a lost or damaged file is only left out.
                self._store.blob_size(file.digest)
                found.problems.append(f"{file.filename}: {error.failed}")
                continue
            written |= {file.filename, f"{file.filename}.metadata"}
            files.append(replace(file, provenance=""))
        static = replace(page, files=tuple(files))
        address: Callable[[PageFile], str] = _address
        self._write(f"simple/{page.project}/index.html", project_html(static, address=address))
        self._write(f"simple/{page.project}/index.json", project_json(static, address=address))

    def _copy(self, name: str, digest: Digest, found: Exported) -> None:
        path = self._folder / "files" / name
        known = self._state.get(name)
        if known is not None and known == _copied(path, str(digest)):
            found.same += 1
            return
        if not path.is_file() or Digest.of_file(path) != digest:
            if not self._store.fetch_blob(digest, path):
                raise StoreUnavailable(f"its bytes are not in the store, {digest}")
            found.copied += 1
            found.size += path.stat().st_size
        else:
            found.same += 1
        copied = _copied(path, str(digest))
        if copied is not None:
            self._state[name] = copied

    def _prune(self, written: set[str], shown: list[str], found: Exported) -> None:
        """Remove what we wrote ourselves once; whatever else lies there is not ours."""
        for name in sorted(self._state.keys() - written):
            (self._folder / "files" / name).unlink(missing_ok=True)
            del self._state[name]
            found.removed += 1
        for folder in (self._folder / "simple").iterdir():
            if folder.is_dir() and folder.name not in shown:
                for name in ("index.html", "index.json"):
                    (folder / name).unlink(missing_ok=True)
                if not any(folder.iterdir()):
                    folder.rmdir()

    def _write(self, name: str, body: bytes) -> None:
        path = self._folder / name
        if path.is_file() and path.read_bytes() == body:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with landing_file(path.parent) as (part, stream):
            stream.write(body)
            settle(stream)
            part.replace(path)

    def _read_state(self) -> None:
        try:
            document = json.loads((self._folder / _STATE).read_bytes())
            self._state = {name: _Copied(**fields) for name, fields in document.items()}
        except (FileNotFoundError, ValueError, TypeError):
            self._state = {}

    def _write_state(self) -> None:
        document = {name: asdict(copied) for name, copied in sorted(self._state.items())}
        self._write(_STATE, json.dumps(document).encode())


def _address(file: PageFile) -> str:
    return f"../../files/{file.filename}"


def _copied(path: Path, digest: str) -> _Copied | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _Copied(digest=digest, size=status.st_size, modified=status.st_mtime_ns)
