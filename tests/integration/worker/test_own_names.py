"""What a build takes of a name that is the team's, while a real upstream index offers a higher version."""

import pytest
import stamina

from tests.databases import migrated_sqlite
from tests.index_site import make_sdist, make_wheel, serve_index
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.index_file import FileKind, IndexFile, Origin
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.projects import Projects
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.upstream import pip_index
from worker.context import Services
from worker.own_names import open_upstream
from worker.pull_through import PullThrough


@pytest.fixture
def site(monkeypatch):
    # How this machine's pip goes to its index has nothing to do with the one on loopback.
    monkeypatch.setattr(pip_index, "read_pip_configuration", dict)
    with serve_index() as served, stamina.set_testing(True, attempts=1, cap=True):
        served.add_sdist("internal-lib", "99.0")
        served.add_sdist("public-lib", "3.0")
        yield served


@pytest.fixture
def services(site, tmp_path):
    database = Database(migrated_sqlite(tmp_path / "jobs.db"))
    yield Services(
        settings=Settings(data_dir=tmp_path, index_url=site.url), ledger=Ledger(database),
        catalogue=Catalogue(database), requests=None, store=FolderStore(tmp_path / "store"),
        engine=None, owner="me",
    )  # fmt: skip
    database.close()


def put(services, filename, body, kind, origin=Origin.UPLOADED):
    services.store.put_blob(body, Digest.of(body))
    file = IndexFile(
        channel="default", project="internal-lib", version="1.0", filename=filename, kind=kind, origin=origin,
        digest=Digest.of(body), size=len(body), metadata_digest=None, published_at=1_764_000_000.0,
    )  # fmt: skip
    with services.catalogue.database.transaction() as session:
        services.catalogue.add(session, file)


def test_a_name_of_the_team_is_built_from_its_upload(services, site):
    body = make_sdist("internal-lib", "1.0", {"setup.py": "from setuptools import setup\nsetup()\n"})
    put(services, "internal_lib-1.0.tar.gz", body, FileKind.SDIST)
    put(services, "internal_lib-1.0-py3-none-any.whl", make_wheel("internal-lib", "1.0"), FileKind.WHEEL)
    index = PullThrough(open_upstream(services, "default"), services.store)
    listing = index.listing("Internal_Lib").with_sources()
    assert {file.filename for file in listing.files} == {
        "internal_lib-1.0.tar.gz",
        "internal_lib-1.0-py3-none-any.whl",
    }
    assert index.fetch("internal-lib", listing.find("internal_lib-1.0.tar.gz")) == Digest.of(body)
    assert site.asked == []


def test_a_name_of_the_team_without_an_upload_is_not_built_at_all(services, site):
    Projects(services.ledger.database, services.store).set_owned("internal-lib", True, "test")
    put(
        services,
        "internal_lib-1.0-py3-none-any.whl",
        make_wheel("internal-lib", "1.0"),
        FileKind.WHEEL,
        Origin.BUILT,
    )
    with pytest.raises(NotFound, match="a name of the team's"):
        open_upstream(services, "default").listing("internal-lib")
    assert site.asked == []


def test_a_page_is_read_once(services, site):
    upstream = open_upstream(services, "default")
    assert upstream.listing("public-lib") is upstream.listing("Public_Lib")
    assert len(site.asked) == 1


def test_any_other_name_is_upstreams(services):
    upstream = open_upstream(services, "default")
    assert [file.filename for file in upstream.listing("public-lib").files] == ["public_lib-3.0.tar.gz"]
    assert [file.filename for file in upstream.listing("internal-lib").files] == ["internal_lib-99.0.tar.gz"]
