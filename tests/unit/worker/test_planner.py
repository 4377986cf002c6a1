"""From a lock to a plan, where every build environment is known: no container, and no index but a list."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from packaging.version import Version

from tests.asked_statements import asked_statements
from tests.databases import migrated_sqlite
from tests.index_site import make_sdist, make_wheel
from wheelyard.build_key import BuildInputs
from wheelyard.build_lock import build_lock_key
from wheelyard.build_request import BuildRequest
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import InputError, NotFound
from wheelyard.index_file import IndexFile as Published
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.locks import IndexFile, Lock, Pin
from wheelyard.plan import Role, Standing
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.toolchains import get_toolchain
from wheelyard.upstream.listing import ListedFile, Listing
from worker.kept_locks import keep_lock
from worker.plan_job import estimate
from worker.plan_progress import PlanProgress
from worker.planner import Planner

TOOLCHAIN = get_toolchain("debian12-cp311")
IMAGE = str(Digest.of(b"image"))


class Village:
    """Projects of an index, with the environments that they are built in."""

    def __init__(self, folder):
        self.database = Database(migrated_sqlite(folder / "jobs.db"))
        self.recipes = folder / "recipes"
        self.recipes.mkdir()
        self.lines = []
        self.files: dict[str, list[ListedFile]] = {}
        self.services = SimpleNamespace(
            settings=Settings(data_dir=folder, recipes_dir=self.recipes), store=FolderStore(folder / "store"),
            ledger=Ledger(self.database), catalogue=Catalogue(self.database), engine=None, owner="me",
        )  # fmt: skip
        self.work = SimpleNamespace(
            services=self.services, claim=SimpleNamespace(id="j" * 32), scratch=folder, check=lambda: None,
            watch=None, log=SimpleNamespace(line=self.lines.append),
        )  # fmt: skip
        self.ready = SimpleNamespace(toolchain=TOOLCHAIN, record=SimpleNamespace(image=IMAGE), image="i")

    def listing(self, project):
        if project not in self.files:
            raise NotFound(f"there is no project {project}")
        return Listing(project=project, files=tuple(self.files[project]))

    def add(self, project, version="1.0", *, wheel=False, source=""):
        """Put a project on the index, and its files into the store; gives its pin."""
        bodies = {f"{project}-{version}.tar.gz": make_sdist(project, version, {"setup.py": source})}
        if wheel:
            bodies[f"{project}-{version}-py3-none-any.whl"] = make_wheel(project, version)
        for name, body in bodies.items():
            self.services.store.put_blob(body, Digest.of(body))
            kind = "wheel" if name.endswith(".whl") else "sdist"
            self.files.setdefault(project, []).append(
                ListedFile(filename=name, url="", digest=Digest.of(body), kind=kind, version=Version(version))
            )
        return self.pin(project, version)

    def pin(self, project, version="1.0", kind="sdist"):
        files = tuple(
            IndexFile(filename=file.filename, digest=file.digest)
            for file in self.files[project]
            if str(file.version) == str(Version(version)) and file.kind == kind
        )
        return Pin(project=project, version=version, files=files)

    def built_with(self, project, *pins, build_deps="source", **recipe):
        """Say what a project is built with, as if it had been asked before."""
        key = build_lock_key(
            sdist=str(self.pin(project).sdist.digest), image=IMAGE,
            environment=recipe.pop("environment", {}), config_settings={}, build_deps=build_deps, **recipe,
        )  # fmt: skip
        self.services.catalogue.set_build_lock(key, keep_lock(self.services, lock(*pins)))

    def planner(self, **request):
        asked = BuildRequest(requirements=("app",), toolchain=TOOLCHAIN.name, **request)
        return Planner(work=self.work, request=asked, ready=self.ready, upstream=self)

    def plan(self, *pins, needs=(), **request):
        planner = self.planner(build_deps=request.pop("build_deps", "source"), **request)
        return planner.plan(planner.allowed(lock(*pins, needs=needs)), "sha256:0")

    def settled(self, planned):
        progress = PlanProgress(planned.plan, self.services, TOOLCHAIN, planned.errors)
        progress.settle()
        estimate(progress, self.services)
        return progress.plan


def lock(*pins, needs=()):
    """A lock with pip-tools' notes.

    :param needs: pairs of who needs whom at run time.
    """
    lines = []
    for pin in pins:
        askers = [one for one, need in needs if need == pin.project] or ["-r requirements.in"]
        lines += [f"{pin.project}=={pin.version} \\", "    --hash=sha256:0", "    # via"]
        lines += [f"    #   {asker}" for asker in askers]
    return Lock(pins=tuple(sorted(pins, key=lambda pin: pin.project)), text="\n".join(lines))


@pytest.fixture
def village(tmp_path):
    made = Village(tmp_path)
    yield made
    made.database.close()


def needs(plan):
    return {node.id: set(node.build_needs) for node in plan}


def test_with_wheels_each_pin_is_a_node_whose_key_is_known_at_once(village):
    low, top, tool = village.add("low"), village.add("top"), village.add("tool", wheel=True)
    for project in ("low", "top"):
        village.built_with(project, village.pin("tool", kind="wheel"), build_deps="wheels")
    plan = village.settled(village.plan(top, low, needs=[("top", "low")], build_deps="wheels"))
    assert [(node.id, node.role) for node in plan] == [("low==1.0", Role.RUNTIME), ("top==1.0", Role.RUNTIME)]
    assert plan.node("top==1.0").run_needs == ("low==1.0",)
    assert all(node.key and node.standing is Standing.WAITING and not node.build_needs for node in plan)
    assert list(plan.node("top==1.0").inputs["build_wheels"]) == ["tool-1.0-py3-none-any.whl"]
    assert tool.sdist is not None


def test_from_source_what_is_built_with_is_a_node_down_to_the_root(village):
    app, tool, root = village.add("app"), village.add("tool"), village.add("root")
    village.built_with("app", tool, root)
    village.built_with("tool", root)
    village.built_with("root")
    plan = village.settled(village.plan(app))
    assert needs(plan) == {
        "root==1.0": set(),
        "tool==1.0": {"root==1.0"},
        "app==1.0": {"root==1.0", "tool==1.0"},
    }
    assert plan.node("app==1.0").role is Role.RUNTIME
    assert plan.node("tool==1.0").role is Role.BUILD
    assert [bool(node.key) for node in plan] == [True, False, False]
    assert plan.node("tool==1.0").inputs["build_deps"] == "source"


def test_a_runtime_pin_that_something_is_built_with_is_one_node(village):
    app, numpy = village.add("app"), village.add("numpy")
    village.built_with("app", numpy)
    village.built_with("numpy")
    plan = village.plan(app, numpy, needs=[("app", "numpy")]).plan
    assert [(node.id, node.role) for node in plan] == [
        ("numpy==1.0", Role.RUNTIME),
        ("app==1.0", Role.RUNTIME),
    ]


def test_another_version_that_something_is_built_with_is_another_node(village):
    app, old, new = village.add("app"), village.add("numpy", "1.0"), village.add("numpy", "2.0")
    village.built_with("app", old)
    for pin in (old, new):
        key = build_lock_key(
            sdist=str(pin.sdist.digest), image=IMAGE, environment={}, config_settings={}, build_deps="source"
        )
        village.services.catalogue.set_build_lock(key, keep_lock(village.services, lock()))
    plan = village.plan(app, new, needs=[("app", "numpy")]).plan
    assert set(needs(plan)) == {"app==1.0", "numpy==1.0", "numpy==2.0"}
    assert plan.node("app==1.0").run_needs == ("numpy==2.0",)


def test_a_cycle_is_broken_by_a_wheel_that_the_index_has(village):
    hen, egg = village.add("hen"), village.add("egg", wheel=True)
    village.built_with("hen", egg)
    village.built_with("egg", hen)
    plan = village.settled(village.plan(hen))
    assert needs(plan) == {
        "egg==1.0 (seed)": set(),
        "hen==1.0 (bootstrap)": {"egg==1.0 (seed)"},
        "egg==1.0": {"hen==1.0 (bootstrap)"},
        "hen==1.0": {"egg==1.0"},
    }
    seed = plan.node("egg==1.0 (seed)")
    assert (seed.role, seed.standing) == (Role.SEED, Standing.HIT)
    assert (seed.filename, seed.digest) == (
        "egg-1.0-py3-none-any.whl", str(village.pin("egg", kind="wheel").files[0].digest),
    )  # fmt: skip
    first = plan.node("hen==1.0 (bootstrap)")
    assert first.inputs["build_wheels"] == {seed.filename: seed.digest}
    assert first.key
    assert not first.is_checked


def test_a_cycle_without_a_seed_blocks_its_members_and_prints_the_way_round(village):
    app, hen, egg = village.add("app"), village.add("hen"), village.add("egg")
    village.built_with("app", hen)
    village.built_with("hen", egg)
    village.built_with("egg", hen)
    planned = village.plan(app)
    plan = village.settled(planned)
    assert {node.standing for node in plan} == {Standing.BLOCKED}
    reason = "a cycle without a seed: egg==1.0 is built with hen==1.0 is built with egg==1.0"
    assert plan.node("hen==1.0").reason == reason
    assert plan.node("app==1.0").reason == "hen==1.0 is blocked"
    assert set(planned.errors) == {"egg==1.0", "hen==1.0"}
    assert "recipe" in planned.errors["hen==1.0"].do


def test_what_can_not_be_planned_is_blocked_with_the_reason_and_the_rest_is_planned(village):
    app, good = village.add("app"), village.add("good")
    village.built_with("good")
    (village.recipes / "app.toml").write_text('flags = "-O3"\n')
    plan = village.settled(village.plan(app, good))
    assert plan.node("app==1.0").standing is Standing.BLOCKED
    assert "flags" in plan.node("app==1.0").reason + str(village.plan(app, good).errors["app==1.0"])
    assert plan.node("good==1.0").standing is Standing.WAITING
    assert plan.node("good==1.0").key


def test_two_that_need_each_other_at_run_time_are_both_built_and_one_is_not_checked(village):
    pins = [village.add("a"), village.add("b")]
    for project in ("a", "b"):
        village.built_with(project)
    plan = village.plan(*pins, needs=[("a", "b"), ("b", "a")]).plan
    assert sorted(node.is_checked for node in plan) == [False, True]
    assert [node.id for node in plan if node.run_needs] == [node.id for node in plan if node.is_checked]


def test_the_recipe_decides_variant_patches_and_what_else_it_is_built_with(village):
    app, tool = village.add("app"), village.add("tool")
    (village.recipes / "app.toml").write_text(
        'build_requires = ["tool"]\n[[patches]]\nfile = "app.patch"\n'
        '[variants.full.environment]\nWITH_ALL = "1"\n'
    )
    patch = "--- a/setup.py\n+++ b/setup.py\n@@ -0,0 +1 @@\n+import sys\n"
    (village.recipes / "app.patch").write_text(patch)
    digest = str(Digest.of(patch.encode()))
    village.built_with("app", tool, environment={"WITH_ALL": "1"}, build_requires=["tool"], patches=[digest])
    village.built_with("tool")
    plan = village.plan(app, variants={"app": "full"}).plan
    inputs = BuildInputs.from_document(plan.node("app==1.0[full]").inputs)
    assert (inputs.variant, inputs.environment) == ("full", {"WITH_ALL": "1"})
    assert inputs.build_requires == ("tool",)
    assert inputs.patches == (digest,)
    assert village.services.store.blob_size(Digest.of(patch.encode())) == len(patch)
    assert needs(plan)["app==1.0[full]"] == {"tool==1.0"}


def test_hashes_that_do_not_allow_the_sdist_are_refused_at_once(village):
    app = village.add("app")
    planner = village.planner(hashes={"app": (f"sha256:{'1' * 64}",)})
    with pytest.raises(InputError, match="allow no sdist of app") as raised:
        planner.allowed(lock(app))
    assert str(app.sdist.digest) in raised.value.found
    assert "1" * 64 in raised.value.expected
    allowed = village.planner(hashes={"app": (str(app.sdist.digest),)}).allowed(lock(app))
    assert allowed.pins == (app,)


def test_a_variant_of_what_is_not_built_is_refused(village):
    app = village.add("app")
    village.built_with("app")
    with pytest.raises(InputError, match="not built: opencv"):
        village.plan(app, variants={"opencv": "full"})


def test_two_projects_that_exclude_each_other_are_refused_before_anything_is_built(village):
    pins = [village.add("cv"), village.add("cv-headless")]
    (village.recipes / "cv.toml").write_text('exclusive = ["cv-headless"]\n')
    with pytest.raises(InputError, match="cv can't be installed beside cv-headless"):
        village.planner().allowed(lock(*pins))


def test_wheels_of_an_image_that_are_known_to_clash_are_refused_before_anything_is_built(village):
    pins = [village.add("cv"), village.add("cv-headless")]
    for pin in pins:
        body = make_wheel(pin.project, "0.9", files={"cv2/__init__.py": pin.project})
        village.services.store.put_blob(body, Digest.of(body))
        file = Published(
            channel="default", project=pin.project, version="0.9", digest=Digest.of(body), size=len(body),
            filename=f"{pin.project.replace('-', '_')}-0.9-py3-none-any.whl", metadata_digest=None,
            published_at=0,
        )  # fmt: skip
        with village.database.transaction() as session:
            village.services.catalogue.add(session, file)
    ledger, common = (
        village.services.ledger,
        {"spec": {}, "title": "", "toolchain": "t", "channel": "default"},
    )
    image, _ = ledger.submit(Kind.IMAGE, "i" * 64, **common)
    build, _ = ledger.submit(Kind.BUILD, "b" * 64, **common, waiter=image.id)
    assert village.planner().allowed(lock(*pins)).pins
    village.work.claim.id = build.id
    with pytest.raises(InputError, match=r"cv 1.0 and cv-headless 1.0 both install cv2/__init__.py"):
        village.planner().allowed(lock(*pins))


@pytest.mark.parametrize("count", [1, 10])
def test_a_plan_of_what_is_known_asks_little_and_the_same_of_each_project(village, count):
    pins = [village.add(f"project{number}") for number in range(count)]
    tools = [village.add(f"tool{number}", wheel=True) for number in range(4)]
    for pin in pins:
        wheels = [village.pin(tool.project, kind="wheel") for tool in tools]
        village.built_with(pin.project, *wheels, build_deps="wheels")
    with asked_statements(village.database) as asked:
        plan = village.settled(village.plan(*pins, build_deps="wheels"))
    # What that takes in seconds is measured by bench/builds.
    assert len(asked) <= 2 * count + 1
    assert len(plan.nodes) == count
