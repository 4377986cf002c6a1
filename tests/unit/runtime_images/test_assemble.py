"""Whole images out of tiny layers: order, digests, refusals, and the record of what is inside."""

from __future__ import annotations

import json
import platform
import tarfile

import pytest

from runtime_images.assemble import assemble
from runtime_images.lower_layers import LowerLayers
from runtime_images.report import absent_rows, layer_rows, report_document
from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import unpacked_layer
from runtime_images.tar_layer import TarRules, normalise_tar
from runtime_images.wheel_layers import WheelFill, keep_wheel_layer, missing_wheel_layers
from tests.unit.runtime_images.debs import Archive
from tests.unit.runtime_images.test_missing_libraries import Release
from wheelyard.digests import Digest
from wheelyard.errors import Conflict, InputError, NotFound, StoreUnavailable
from wheelyard.health_check import HealthCheck
from wheelyard.image_record import ImageRecord, WheelPin, load_image, load_record
from wheelyard.store.folder import FolderStore

MACHINE = platform.machine()
LIB = f"usr/lib/{MACHINE}-linux-gnu"
SITE = "usr/local/lib/python3.11/dist-packages"
IMAGE = str(Digest.of(b"compile image"))
BASE = {"lib": "usr/lib", "usr/bin/python3": "python3.11", "usr/bin/python3.11": b"", f"{LIB}/libc.so.6": b""}
MODES = {"usr/bin/python3.11": 0o755, "usr/local/bin/tool": 0o755}


class Workshop:
    """A base, filled wheels and specs of them."""

    def __init__(self, store, scratch, tars, put_layer):
        self.store, self.scratch, self.tars = store, scratch, tars
        self.base = put_layer(tars.write(BASE, MODES), "base demo")
        self.compile_layers = []

    def wheel(self, project: str, members) -> WheelPin:
        name = project.replace("-", "_")
        pin = WheelPin(
            project=project,
            version="1.0",
            filename=f"{name}-1.0-py3-none-any.whl",
            digest=Digest.of(project.encode()),
        )
        tar = self.scratch / f"{project}.tar"
        with tar.open("wb") as target:
            normalise_tar(self.tars.write(members), target, TarRules(origin=project))
        keep_wheel_layer(self.store, pin, WheelFill(toolchain_image=IMAGE), tar, self.scratch)
        return pin

    def app(self, members) -> Digest:
        tar = self.tars.write(members)
        digest = Digest.of_file(tar)
        self.store.put_blob(tar, digest)
        return digest

    def spec(self, *wheels, **more) -> ImageSpec:
        fields = {
            "toolchain": "debian12-cp311",
            "toolchain_image": IMAGE,
            "python_tag": "cp311",
            "policy": f"manylinux_2_36_{MACHINE}",
            "base": self.base,
            "wheels": wheels,
        }
        return ImageSpec(**(fields | more))

    def assemble(self, *wheels, **more) -> ImageRecord:
        return assemble(
            self.spec(*wheels, **more), self.store, compile_layers=self.compile_layers, scratch=self.scratch
        )

    def files(self, layer) -> dict[str, tarfile.TarInfo]:
        with unpacked_layer(self.store, layer, self.scratch) as tar, tarfile.open(tar) as archive:
            return {member.name: member for member in archive}


@pytest.fixture
def workshop(store, scratch, tars, put_layer):
    return Workshop(store, scratch, tars, put_layer)


def test_lays_base_system_wheels_by_project_and_application(workshop, linker, put_layer, tars):
    compile_tar = tars.write({f"{LIB}/libz.so.1": linker.library("libz.so.1")})
    workshop.compile_layers = [put_layer(compile_tar, "compile")]
    zoo = workshop.wheel("zoo", {f"{SITE}/zoo.so": linker.library("", ("libz.so.1", "libc.so.6"))})
    ape = workshop.wheel("ape", {f"{SITE}/ape.py": b""})
    record = workshop.assemble(zoo, ape, app=workshop.app({"main.py": b"print()"}))
    assert [layer.title for layer in record.layers] == [
        "base demo",
        "system libz.so.1",
        "ld.so.cache",
        "ape 1.0",
        "zoo 1.0",
        "application",
    ]
    assert record.libraries == {"libz.so.1": f"/{LIB}/libz.so.1"}
    assert record.size == sum(layer.size for layer in record.layers)


def test_heavy_wheels_lie_below_system_layers_each_above_what_it_needs(workshop, linker, put_layer, tars):
    compile_tar = tars.write({f"{LIB}/libz.so.1": linker.library("libz.so.1")})
    workshop.compile_layers = [put_layer(compile_tar, "compile")]
    needs_ape = b"Name: zoo\nRequires-Dist: Ape>=1; extra == 'x'\nRequires-Dist: not a requirement\n\n"
    zoo = workshop.wheel(
        "zoo", {f"{SITE}/zoo.bin": bytes(9 << 20), f"{SITE}/zoo-1.0.dist-info/METADATA": needs_ape}
    )
    ape = workshop.wheel("ape", {f"{SITE}/ape.bin": bytes(4 << 20)})
    bee = workshop.wheel("bee", {f"{SITE}/bee.so": linker.library("", ("libz.so.1", "libc.so.6"))})
    record = workshop.assemble(zoo, bee, ape)
    titles = [layer.title for layer in record.layers]
    assert titles == [
        "base demo",
        "ape 1.0",
        "zoo 1.0",
        "system libz.so.1",
        "ld.so.cache",
        "bee 1.0",
        "application",
    ]
    alone = workshop.assemble(zoo, ape)
    assert alone.layers[:3] == record.layers[:3]


def test_above_the_limit_small_wheels_share_layers(workshop):
    pins = [workshop.wheel(f"w{number}", {f"{SITE}/w{number}.py": b"%d" % number}) for number in range(30)]
    record = workshop.assemble(*pins, layer_limit=12)
    assert len(record.layers) <= 12
    held = {path for layer in record.layers for path in workshop.files(layer)}
    assert {f"{SITE}/w{number}.py" for number in range(30)} <= held
    more = workshop.assemble(*pins, workshop.wheel("x", {f"{SITE}/x.py": b""}), layer_limit=12)
    assert len(set(more.layers) - set(record.layers)) == 1


@pytest.mark.parametrize(("limit", "said"), [(1, "2 layers"), (2, "3 layers")])
def test_a_limit_that_can_not_be_met_is_refused_with_what_takes_the_layers(workshop, limit, said):
    pins = [workshop.wheel("ape", {f"{SITE}/ape.py": b""})] if limit == 2 else []
    with pytest.raises(InputError) as refusal:
        workshop.assemble(*pins, layer_limit=limit)
    assert said in refusal.value.failed
    assert "1 of the base" in refusal.value.found


def test_equal_specs_are_equal_images_in_another_store_too(workshop, tmp_path, tars, put_layer):
    def make(shop):
        first = shop.wheel("ape", {f"{SITE}/ape.py": b"1"})
        second = shop.wheel("bee", {f"{SITE}/bee.py": b"2"})
        return shop.assemble(*([first, second] if shop is workshop else [second, first]))

    here = make(workshop)
    other = Workshop(FolderStore(tmp_path / "other"), workshop.scratch, tars, put_layer)
    packed = workshop.store.open_blob(workshop.base.digest)
    with packed:
        other.store.put_blob(packed.read(), workshop.base.digest)
    other.base = workshop.base
    there = make(other)
    assert here == there
    assert here.manifest_digest == there.manifest_digest


def test_the_second_time_the_record_is_read_and_nothing_is_looked_at(workshop):
    pin = workshop.wheel("ape", {f"{SITE}/ape.py": b"1"})
    record = workshop.assemble(pin)
    spec = workshop.spec(pin)
    assert load_record(workshop.store, spec.key) == record
    assert assemble(spec, workshop.store, compile_layers=[], scratch=workshop.scratch) == record


def test_config_and_manifest_are_blobs_under_their_digests(workshop):
    record = workshop.assemble(
        workshop.wheel("ape", {f"{SITE}/ape.py": b"1"}),
        command=("-m", "ape"),
        environment={"LANG": "de_DE.UTF-8", "X": "1"},
        labels={"org.opencontainers.image.title": "ape"},
    )
    image = load_image(workshop.store, record)
    assert (image.id, image.digest) == (record.image_id, record.manifest_digest)
    config = json.loads(image.config)["config"]
    assert config == {
        "Cmd": ["-m", "ape"],
        "Entrypoint": ["python3"],
        "Env": ["LANG=de_DE.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "X=1"],
        "Labels": {"org.opencontainers.image.title": "ape"},
        "User": "1000:1000",
        "WorkingDir": "/app",
    }


def test_two_wheels_with_one_path_are_refused_by_name(workshop):
    first = workshop.wheel("opencv-python", {f"{SITE}/cv2/__init__.py": b"1"})
    second = workshop.wheel("opencv-python-headless", {f"{SITE}/cv2/__init__.py": b"2"})
    with pytest.raises(InputError) as clash:
        workshop.assemble(first, second)
    assert "opencv-python 1.0 and opencv-python-headless 1.0" in clash.value.failed


def test_a_wheel_may_not_change_the_base(workshop):
    pin = workshop.wheel("ape", {"usr/bin/python3.11": b"mine"})
    with pytest.raises(InputError) as clash:
        workshop.assemble(pin)
    assert "base demo and ape 1.0" in clash.value.failed


def test_a_wheel_that_was_not_filled_is_named(workshop):
    pin = WheelPin(
        project="ape", version="1.0", filename="ape-1.0-py3-none-any.whl", digest=Digest.of(b"never")
    )
    assert missing_wheel_layers(workshop.spec(pin), workshop.store) == (pin,)
    with pytest.raises(Conflict) as missing:
        workshop.assemble(pin)
    assert "ape 1.0" in missing.value.failed


def test_the_application_lies_under_app_owned_by_root(workshop):
    record = workshop.assemble(app=workshop.app({"main.py": b"", "static/logo": b"", "latest": "static"}))
    files = workshop.files(record.layers[-1])
    assert sorted(files) == ["app", "app/latest", "app/main.py", "app/static", "app/static/logo"]
    assert {member.uid for member in files.values()} == {0}


def test_without_an_application_there_is_still_a_working_folder(workshop):
    assert sorted(workshop.files(workshop.assemble(workdir="/srv/data").layers[-1])) == [
        "app",
        "srv",
        "srv/data",
    ]


def test_the_working_folder_may_be_one_of_the_application(workshop):
    app = workshop.app({"src": None, "src/main.py": b""})
    files = workshop.files(workshop.assemble(app=app, workdir="/app/src").layers[-1])
    assert sorted(files) == ["app", "app/src", "app/src/main.py"]


@pytest.mark.parametrize(
    "members", [{"../x": b""}, {"/x": b""}, {"l": "/etc"}, {"l": "../../x"}, {".wh.x": b""}]
)
def test_an_application_that_reaches_out_is_refused(workshop, members):
    with pytest.raises(InputError) as refusal:
        workshop.assemble(app=workshop.app(members))
    assert refusal.value.exit_code == 2


def test_an_application_that_is_no_tar_or_not_there_is_refused(workshop):
    digest = Digest.of(b"no tar")
    workshop.store.put_blob(b"no tar", digest)
    with pytest.raises(InputError):
        workshop.assemble(app=digest)
    with pytest.raises(NotFound):
        workshop.assemble(app=Digest.of(b"nowhere"))


@pytest.mark.parametrize("entrypoint", [("sh", "-c", "x"), ("/bin/bash",), ("./main.py",), ("nothing",), ()])
def test_an_entry_point_that_can_not_start_is_refused(workshop, entrypoint):
    with pytest.raises(InputError):
        workshop.assemble(entrypoint=entrypoint)


def test_a_health_check_that_can_not_start_is_refused_too(workshop):
    with pytest.raises(InputError, match="health check can't start"):
        workshop.assemble(healthcheck=HealthCheck(test=("curl", "-f", "http://127.0.0.1/")))


def test_what_an_image_says_of_how_it_runs_is_in_its_config(workshop):
    probe = HealthCheck(test=("python3", "-c", "pass"))
    record = workshop.assemble(ports=("8080/tcp",), healthcheck=probe, format="docker")
    with workshop.store.open_blob(record.image_id) as stream:
        config = json.loads(stream.read())["config"]
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert config["Healthcheck"]["Test"] == ["CMD", "python3", "-c", "pass"]
    assert workshop.assemble(ports=("8080/tcp",), healthcheck=probe).image_id != record.image_id


def test_an_entry_point_of_the_application_or_a_wheel_is_found(workshop, tars):
    app = tars.write({"run": b"#!/usr/bin/python3\n"}, modes={"run": 0o755})
    workshop.store.put_blob(app, Digest.of_file(app))
    assert workshop.assemble(app=Digest.of_file(app), entrypoint=("./run",)).entrypoint == ("./run",)


def test_the_application_gets_the_libraries_that_there_are(workshop, linker, put_layer, tars):
    compile_tar = tars.write({f"{LIB}/libz.so.1": linker.library("libz.so.1")})
    workshop.compile_layers = [put_layer(compile_tar, "compile")]
    record = workshop.assemble(
        app=workshop.app({"plugin.so": linker.library("", ("libz.so.1", "libnowhere.so.2"))})
    )
    assert record.libraries == {"libz.so.1": f"/{LIB}/libz.so.1"}
    assert record.left_out == ("libnowhere.so.2",)


def test_a_library_of_the_application_meets_a_wheel_s_need_in_the_finished_image_too(workshop, linker):
    pin = workshop.wheel("ape", {f"{SITE}/ape.so": linker.library("", ("libfoo.so.1",))})
    app = workshop.app({"lib/libfoo.so.1": linker.library("libfoo.so.1", ("libnowhere.so.2",))})
    assert workshop.assemble(pin, app=app).left_out == ("libnowhere.so.2",)


@pytest.mark.parametrize("where", ["compile image", "packages"])
def test_a_wheel_gets_a_link_to_a_package_s_library_that_the_loader_does_not_find(
    workshop, linker, put_layer, tars, where
):
    library = {f"{LIB}/blas/libblas.so.3": linker.library("libblas.so.3")}
    layer = put_layer(tars.write(library), "packages libblas3")
    archive = Archive(workshop.store, tars.write(BASE), workshop.base, workshop.scratch, MACHINE)
    archive.add("libblas3", library)
    if where == "compile image":
        workshop.compile_layers = [put_layer(tars.write(library), "compile")]
    pin = workshop.wheel("ape", {f"{SITE}/ape.so": linker.library("", ("libblas.so.3",))})
    record = assemble(
        workshop.spec(pin, lower=LowerLayers(layers=(layer,))),
        workshop.store,
        compile_layers=workshop.compile_layers,
        source=Release(archive),
        scratch=workshop.scratch,
    )
    added = workshop.files(record.layers[2])
    assert added[f"{LIB}/libblas.so.3"].linkname == f"/{LIB}/blas/libblas.so.3"
    assert record.layers[2].title.endswith(" libblas.so.3")


def test_the_record_says_which_tools_are_absent_and_where_the_others_are(workshop, tars):
    pin = workshop.wheel("ape", {f"{SITE}/pip/__init__.py": b"", f"{SITE}/git/__init__.py": b""})
    record = workshop.assemble(pin)
    assert record.absent["gcc"]
    assert record.absent["git"]
    assert not record.absent["pip"]
    assert record.tools_found == {"pip": (f"/{SITE}/pip/__init__.py",)}
    assert ("pip", "yes", f"/{SITE}/pip/__init__.py") in absent_rows(record)
    assert ImageRecord.from_document(json.loads(json.dumps(record.to_document()))) == record


def test_the_report_has_a_row_for_each_layer_and_the_sum(workshop):
    record = workshop.assemble(workshop.wheel("ape", {f"{SITE}/ape.py": b"1"}))
    rows = layer_rows(record)
    assert [row[0] for row in rows] == ["layer", "base demo", "ape 1.0", "application", "sum"]
    assert len({len(row) for row in rows}) == 1
    assert report_document(record)["size"] == record.size


def test_a_lost_layer_is_an_outage_and_not_an_empty_image(workshop):
    lost = workshop.base
    other = type(lost)(
        digest=Digest.of(b"lost"), diff_id=Digest.of(b"lost tar"), size=1, unpacked=1, title="base lost"
    )
    with pytest.raises(StoreUnavailable):
        workshop.assemble(base=other)
