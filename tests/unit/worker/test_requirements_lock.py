"""The lock of a request whose projects say nothing without their recipes' packages."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from wheelyard.build_request import BuildRequest
from wheelyard.errors import BuildFailed
from wheelyard.locks import Lock
from worker import requirements_lock
from worker.missing_part import MissingPart, missing_facts
from worker.requirements_lock import lock_request

LOCK = Lock(pins=(), text="")
REQUEST = BuildRequest(requirements=("demo",), toolchain="debian12-cp311")
PG_CONFIG = MissingPart(kind="program", name="pg_config")


@dataclass(frozen=True)
class FakeResolver:
    """Projects say what they are only in an image that has the packages they want.

    :param wants: by project, what its backend looks for.
    """

    wants: dict
    image: str = "plain"
    asked: list = field(default_factory=list)

    def resolve_requirements(self, requirements, constraints):
        self.asked.append(self.image)
        for project, package in self.wants.items():
            if package not in self.image:
                raise BuildFailed("its backend failed", project=project, **missing_facts(PG_CONFIG))
        return LOCK


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setattr(
        requirements_lock, "lock_packages", lambda work, ready, names: dict.fromkeys(names, "1")
    )
    monkeypatch.setattr(
        requirements_lock, "image_with_packages", lambda work, ready, packages: "with " + " ".join(packages)
    )
    monkeypatch.setattr(
        requirements_lock, "package_search", lambda settings, toolchain: lambda kind, name: ["libpq-dev"]
    )
    return SimpleNamespace(
        services=SimpleNamespace(settings=SimpleNamespace(recipes_dir=tmp_path)),
        log=SimpleNamespace(line=lambda text: None),
        claim=SimpleNamespace(id="a1"),
    )


READY = SimpleNamespace(toolchain=None)


def test_the_packages_of_each_recipe_come_when_they_are_missed(work, tmp_path):
    (tmp_path / "one.toml").write_text('packages = ["liba-dev"]\n')
    (tmp_path / "two.toml").write_text('packages = ["libb-dev"]\n')
    resolver = FakeResolver({"One": "liba-dev", "two": "libb-dev"})
    assert lock_request(work, REQUEST, READY, resolver, ["demo"]) is LOCK
    assert resolver.asked == ["plain", "with liba-dev", "with liba-dev libb-dev"]


def test_a_project_without_a_recipe_is_asked_once_and_its_line_is_named(work):
    resolver = FakeResolver({"demo": "libpq-dev"})
    with pytest.raises(BuildFailed) as error:
        lock_request(work, REQUEST, READY, resolver, ["demo"])
    assert resolver.asked == ["plain"]
    assert error.value.facts["recipe_line"] == 'packages = ["libpq-dev"] in recipes/demo.toml'
    assert "wheelyard recipe try demo --job a1" in error.value.do


def test_packages_that_do_not_help_are_tried_once(work, tmp_path):
    (tmp_path / "demo.toml").write_text('packages = ["liba-dev"]\n')
    resolver = FakeResolver({"demo": "libpq-dev"})
    with pytest.raises(BuildFailed) as error:
        lock_request(work, REQUEST, READY, resolver, ["demo"])
    assert resolver.asked == ["plain", "with liba-dev"]
    assert 'packages = ["liba-dev", "libpq-dev"]' in error.value.facts["recipe_line"]


def test_a_failure_of_no_project_stays_as_it_is(work):
    class Failing(FakeResolver):
        def resolve_requirements(self, requirements, constraints):
            raise BuildFailed("it needs too much memory")

    with pytest.raises(BuildFailed, match="too much memory"):
        lock_request(work, REQUEST, READY, Failing({}), ["demo"])
