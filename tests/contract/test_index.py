"""Channels, projects, yanks and the numbers that say that a page changed: on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, update

from wheelyard.catalogue import USE_SECONDS, Catalogue
from wheelyard.channels import Channel, Channels, UpstreamKinds, UpstreamPolicy
from wheelyard.digests import Digest
from wheelyard.errors import Conflict, InputError, NotFound
from wheelyard.index_changes import read_changes
from wheelyard.index_file import FileKind, IndexFile, Origin
from wheelyard.jobs.models import FileRow
from wheelyard.project_page import PageFile, ProjectPages
from wheelyard.projects import Projects, Quarantined, Status
from wheelyard.store.folder import FolderStore
from wheelyard.yanks import Yanks


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def channels(database, store, clock):
    return Channels(database, store, clock)


@pytest.fixture
def projects(database, store, clock):
    return Projects(database, store, clock)


@pytest.fixture
def yanks(database, store, clock):
    return Yanks(database, store, clock)


@pytest.fixture
def show(database):
    """Shows a file in a channel."""
    catalogue = Catalogue(database)

    def show_file(channel="default", version="1.0", body=b"", **fields):
        known: dict[str, Any] = {
            "channel": channel, "project": "acme", "version": version,
            "filename": f"acme-{version}-py3-none-any.whl", "digest": Digest.of(body or version.encode()),
            "size": 5, "metadata_digest": None, "published_at": 1000.0,
        }  # fmt: skip
        file = IndexFile(**(known | fields))
        with database.transaction() as session:
            catalogue.add(session, file)
        return file

    return show_file


def test_the_default_channel_is_there_from_the_first(channels):
    assert [channel.name for channel in channels.list()] == ["default"]
    assert channels.get("default").upstream is UpstreamPolicy.OFF


def test_a_channel_that_does_not_exist_is_refused_with_what_makes_it(channels):
    with pytest.raises(NotFound) as raised:
        channels.get("nightly")
    assert "wheelyard channel create nightly" in raised.value.do
    with pytest.raises(NotFound):
        channels.create(Channel(name="team", base="nightly"), "ada")


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "a\0", "x" * 64])
def test_a_name_that_can_be_no_channels_is_refused(channels, name):
    with pytest.raises(InputError):
        channels.get(name)
    with pytest.raises(InputError):
        Channel(name=name)


def test_every_change_of_a_channel_is_in_the_store_as_its_rows_fields(channels, store):
    wanted = Channel(
        name="team", base="default", upstream=UpstreamPolicy.LISTED, kinds=UpstreamKinds.WHEELS,
        projects=("Num_Py",), min_age=60,
    )  # fmt: skip
    made, is_new = channels.create(wanted, "ada")
    assert (is_new, channels.create(wanted, "bob")) == (True, (made, False))
    channels.change("team", lambda channel: replace(channel, min_age=0), "bob")
    channels.change("team", lambda channel: channel, "eve")
    channels.remove("team", "ada")
    assert [(change.actor, change.fields) for change in read_changes(store)] == [
        ("ada", made.to_fields()),
        ("bob", replace(made, min_age=0).to_fields()),
        ("ada", {"name": "team", "removed": True}),
    ]
    assert made.projects == ("num-py",)


def test_a_channel_never_comes_to_stand_on_itself(channels):
    channels.create(Channel(name="a", base="default"), "ada")
    channels.create(Channel(name="b", base="a"), "ada")
    with pytest.raises(Conflict, match="can't build on b"):
        channels.change("default", lambda channel: replace(channel, base="b"), "ada")
    with pytest.raises(Conflict, match="can't build on a"):
        channels.change("a", lambda channel: replace(channel, base="a"), "ada")
    assert [channel.name for channel in channels.chain("b")] == ["b", "a", "default"]


def test_two_that_close_a_circle_at_the_same_time_leave_none(channels):
    for name in ("a", "b"):
        channels.create(Channel(name=name), "ada")
    start = threading.Barrier(2)

    def build_on(name, base):
        start.wait()
        try:
            channels.change(name, lambda channel: replace(channel, base=base), "ada")
        except Conflict:
            return

    threads = [threading.Thread(target=build_on, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(1 for name in ("a", "b") if channels.get(name).base) == 1


def test_a_channel_with_files_or_somebody_on_top_stays(channels, show):
    for name in ("full", "below"):
        channels.create(Channel(name=name), "ada")
    channels.create(Channel(name="above", base="below"), "ada")
    show("full")
    for name, why in (("full", "has files"), ("below", "above builds on it"), ("default", "which name none")):
        with pytest.raises(Conflict, match=why):
            channels.remove(name, "ada")


def test_a_page_shows_its_own_files_first_and_each_name_once(channels, database, show):
    channels.create(Channel(name="team", base="default"), "ada")
    show("default", "1.0", b"theirs")
    show("default", "1.1")
    show("team", "1.0", b"ours")
    page = ProjectPages(database).read("team", "Acme")
    assert page is not None
    assert [(file.version, file.digest == Digest.of(b"ours")) for file in page.files] == [
        ("1.0", True),
        ("1.1", False),
    ]
    below = ProjectPages(database).read("default", "acme")
    assert below is not None
    assert below.files[0].digest == Digest.of(b"theirs")
    assert ProjectPages(database).read("team", "other") is None


class FakeUpstream:
    """Files of one project; it notes what it was asked for."""

    fresh_seconds = 7.0

    def __init__(self):
        self.asked = []

    def files(self, channel, project):
        self.asked.append((channel.name, project))
        return tuple(
            PageFile(
                filename=f"acme-{version}-py3-none-any.whl", version=version, kind=FileKind.WHEEL,
                digest=Digest.of(b"upstream"), size=1,
            )
            for version in ("1.0", "9.9")
        )  # fmt: skip


def test_upstreams_files_stand_behind_ours_unless_the_name_is_the_teams(channels, projects, database, show):
    upstream = FakeUpstream()
    pages = ProjectPages(database, upstream)
    show(version="1.0")
    page = pages.read("default", "acme")
    assert (page.fresh_seconds, [file.version for file in page.files], upstream.asked) == (None, ["1.0"], [])
    channels.change("default", lambda channel: replace(channel, upstream=UpstreamPolicy.ALL), "ada")
    page = pages.read("default", "acme")
    assert [(file.version, file.digest == Digest.of(b"upstream")) for file in page.files] == [
        ("1.0", False),
        ("9.9", True),
    ]
    assert page.fresh_seconds == 7.0
    projects.set_owned("acme", True, "ada")
    upstream.asked.clear()
    assert [file.version for file in pages.read("default", "acme").files] == ["1.0"]
    assert upstream.asked == []


def test_a_name_with_an_upload_is_the_teams_until_somebody_says_otherwise(projects, channels, show):
    assert not projects.get("acme").owned
    show(origin=Origin.UPLOADED)
    assert (projects.get("Acme").owned, projects.get("acme").decided) == (True, False)
    assert not projects.set_owned("acme", False, "ada").owned
    assert (projects.get("acme").owned, projects.get("acme").decided) == (False, True)


def test_a_status_leaves_the_ownership_undecided(projects, show, store):
    projects.set_status("acme", Status.DEPRECATED, "use acme2", "ada")
    projects.set_status("acme", Status.DEPRECATED, "use acme2", "ada")
    show(origin=Origin.UPLOADED)
    said = projects.get("acme")
    assert (said.owned, said.decided, said.status, said.reason) == (
        True, False, Status.DEPRECATED, "use acme2",
    )  # fmt: skip
    (change,) = read_changes(store)
    assert change.fields == {"project": "acme", "owned": None, "status": "deprecated", "reason": "use acme2"}
    assert projects.list() == [said]


def test_nothing_is_offered_of_a_quarantined_project(projects, database, show):
    show()
    projects.check_offered("acme")
    projects.set_status("acme", Status.QUARANTINED, "steals keys", "ada")
    page = ProjectPages(database, FakeUpstream()).read("default", "acme")
    assert (page.files, page.status, page.reason) == ((), Status.QUARANTINED, "steals keys")
    with pytest.raises(Quarantined):
        projects.check_offered("acme")


def test_a_yank_and_what_takes_it_back_are_in_the_store(yanks, show, store, database):
    file = show()
    assert yanks.set("default", file.filename, "loses rows", "ada").yanked == "loses rows"
    yanks.set("default", file.filename, "loses rows", "ada")
    assert ProjectPages(database).read("default", "acme").files[0].yanked == "loses rows"
    assert yanks.set("default", file.filename, None, "bob").yanked is None
    assert [(change.actor, change.fields["yanked"]) for change in read_changes(store)] == [
        ("ada", "loses rows"),
        ("bob", None),
    ]
    for name in ("other.whl", "a\0.whl"):
        with pytest.raises(NotFound):
            yanks.set("default", name, "", "ada")


def test_whatever_changes_a_page_changes_its_channels_number(channels, projects, yanks, database, show):
    channels.create(Channel(name="team", base="default"), "ada")
    channels.create(Channel(name="other"), "ada")

    def changed_by(act):
        before = channels.stamps()
        act()
        after = channels.stamps()
        return {name for name in after if after[name] != before.get(name)}

    every = {"default", "team", "other"}
    file = show("default")
    assert changed_by(lambda: show("default", "1.1")) == {"default", "team"}
    assert changed_by(lambda: show("team", "1.2")) == {"team"}
    assert changed_by(lambda: yanks.set("default", file.filename, "", "ada")) == {"default", "team"}
    assert changed_by(lambda: projects.set_owned("acme", True, "ada")) == every
    assert changed_by(lambda: projects.set_status("acme", Status.ARCHIVED, "", "ada")) == every
    change = {"upstream": UpstreamPolicy.ALL}
    assert changed_by(lambda: channels.change("other", lambda one: replace(one, **change), "ada")) == {
        "other"
    }

    def at_once(statement):
        with database.transaction() as session:
            session.execute(statement)

    of_default = FileRow.channel == "default"
    assert changed_by(lambda: at_once(update(FileRow).where(of_default).values(provenance="x"))) == {
        "default", "team",
    }  # fmt: skip
    assert changed_by(lambda: at_once(delete(FileRow).where(of_default))) == {"default", "team"}


def test_that_a_file_was_used_is_noted_once_a_day_and_changes_no_page(channels, database, show, clock):
    catalogue = Catalogue(database, clock)
    file = show()
    before = channels.stamps()

    def used_at():
        with database.reading() as session:
            return session.get(FileRow, (file.channel, file.filename)).used_at

    catalogue.note_use(file.digest, file.filename)
    first = used_at()
    clock.now += USE_SECONDS / 2
    catalogue.note_use(file.digest, file.filename)
    assert used_at() == first == clock.now - USE_SECONDS / 2
    clock.now += USE_SECONDS
    catalogue.note_use(file.digest, file.filename)
    assert used_at() == clock.now
    assert channels.stamps() == before
