"""The upstream index as a build sees it: of a name that is the team's it has the team's own files."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.utils import canonicalize_name, parse_sdist_filename

from wheelyard.channels import Channels
from wheelyard.errors import NotFound
from wheelyard.index_file import FileKind, IndexFile, Origin
from wheelyard.projects import Projects
from wheelyard.upstream.index import FreshPage, Upstream
from wheelyard.upstream.listing import ListedFile, Listing, read_filename
from wheelyard.upstream.pip_index import configured_index
from worker.context import Services


def open_upstream(services: Services, channel: str, overlay: Sequence[ListedFile] = ()) -> Upstream:
    """The upstream index for the builds of a channel.

    :param overlay: sdists that a request brings along, in the store by now; of their projects there is
        nothing else.
    """
    return UpstreamBehindOurs(services, channel, overlay)


class UpstreamBehindOurs(Upstream):
    """A page of the team's own name lists what the team uploaded, and upstream is not asked.

    What is built must not be an attacker's either (dependency confusion). It lives as long as one plan, and
    reads each page once: many of a plan's build environments need the same few projects.

    :param channel: whose files count, and those of the channels that it builds on.
    :param overlay: as `open_upstream`.
    """

    def __init__(self, services: Services, channel: str, overlay: Sequence[ListedFile] = ()) -> None:
        super().__init__(configured_index(services.settings.index_url))
        database = services.ledger.database
        self._catalogue = services.catalogue
        self._projects = Projects(database, services.store)
        self._channels = Channels(database, services.store)
        self._channel = channel
        self._listings: dict[str, Listing] = {}
        self._overlay = {canonicalize_name(parse_sdist_filename(file.filename)[0]): file for file in overlay}

    def listing(self, project: str) -> Listing:
        """As `Upstream.listing`; the second time as it was the first."""
        name = canonicalize_name(project)
        if name not in self._listings:
            self._listings[name] = super().listing(name)
        return self._listings[name]

    def page(self, project: str, etag: str = "") -> FreshPage:
        """As `Upstream.page`.

        :raises NotFound: also where the name is the team's, and the channel has no file of it.
        """
        name = canonicalize_name(project)
        if name in self._overlay:
            return FreshPage(listing=Listing(project=name, files=(self._overlay[name],)), etag="")
        if not self._projects.get(name).owned:
            return super().page(name, etag)
        files: dict[str, ListedFile] = {}
        for channel in self._channels.chain(self._channel):
            for file in self._catalogue.files(channel.name, name):
                if file.origin is Origin.UPLOADED:
                    files.setdefault(file.filename, _listed(file))
        if not files:
            raise NotFound(
                f"{name} is a name of the team's, and the channel {self._channel} has no upload of it",
                expected="an sdist that was uploaded; upstream's files of that name are never taken",
                do=f"upload one, or say `wheelyard project disown {name}`",
                project=name,
            )
        return FreshPage(listing=Listing(project=name, files=tuple(files.values())), etag="")


def _listed(file: IndexFile) -> ListedFile:
    """A file of ours as a page lists it; its bytes are in the store, so nobody fetches it by an address."""
    _, version = read_filename(file.project, file.filename)
    return ListedFile(
        filename=file.filename,
        url="",
        digest=file.digest,
        kind="wheel" if file.kind is FileKind.WHEEL else "sdist",
        version=version,
        requires_python=file.requires_python,
        yanked=file.yanked,
        has_metadata=file.metadata_digest is not None,
        metadata=file.metadata_digest,
        size=file.size,
    )
