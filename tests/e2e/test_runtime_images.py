"""Runtime images in real containers: layers filled twice alike, and libraries that the real loader finds."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pip as pip_module
import pytest

from runtime_images.assemble import assemble
from runtime_images.spec import ImageSpec
from runtime_images.wheel_layers import WheelFill, find_wheel_layer, keep_wheel_layer, missing_wheel_layers
from tests.e2e.conftest import TOOLCHAIN, copied
from tests.e2e.made_toolchain import made_toolchain
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed
from wheelyard.image_record import ImageRecord, WheelPin, blob_opener, load_image
from wheelyard.oci import write_docker_archive, write_oci_layout
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import load_record
from worker.engine.command import CommandEngine
from worker.engine.contract import ContainerSpec
from worker.toolchain_images import ensure_loaded
from worker.wheel_layer import Filling, fill_wheel_layer, filler_of

pytestmark = pytest.mark.engine

OPENBLAS = """
extern double cblas_ddot(int, const double *, int, const double *, int);
double dot(void) { double x[] = {1, 2, 3}; return cblas_ddot(3, x, 1, x, 1); }
"""
LOAD = """
import ctypes, pathlib
library = ctypes.CDLL(str(pathlib.Path(__file__).with_name("native.so")))
library.dot.restype = ctypes.c_double
dot = library.dot
"""


class Bench:
    """The running stack's toolchain and store, and what a worker does with them."""

    def __init__(
        self, settings: Settings, store: Store, toolchain_image: str, engine: CommandEngine, folder: Path
    ):
        record = load_record(store, TOOLCHAIN, toolchain_image)
        assert record is not None
        self.settings, self.store, self.record = settings, store, record
        self.image = ensure_loaded(record, store, engine)
        self.engine = engine
        self.folder = folder

    def wheel(
        self, name: str, files: dict[str, bytes], tag: str = "py3-none-any", requires: str = ""
    ) -> Path:
        """A wheel of files, with a console script."""
        info = f"{name}-1.0.dist-info"
        purelib = str(tag.endswith("any")).lower()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        files = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}".encode(),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n".encode(),
            f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n".encode(),
        }
        record = "".join(
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b'=').decode()},"
            f"{len(body)}\n"
            for path, body in files.items()
        )
        place = self.folder / f"{name}-1.0-{tag}.whl"
        with zipfile.ZipFile(place, "w") as pack:
            for path, body in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
                pack.writestr(path, body)
        return place

    def library(self, source: str, *libraries: str) -> bytes:
        """A shared library, compiled in a container of the toolchain."""
        (self.folder / "native.c").write_text(source)
        self.folder.chmod(0o755)
        spec = ContainerSpec(
            image=self.image,
            job="e2e-images",
            owner="e2e",
            memory=1 << 30,
            mounts={self.folder / "native.c": "/in/native.c"},
            tmpfs={"/build": 64 << 20},
        )
        lines: list[str] = []
        command = ["gcc", "-shared", "-fPIC", "-o", "/build/native.so", "/in/native.c", "-Wl,--no-as-needed"]
        with self.engine.start(spec) as container, (self.folder / "native.so").open("w+b") as out:
            ended = container.run([*command, *libraries], on_line=lines.append, timeout=120)
            assert ended.code == 0, lines
            container.read_file("/build/native.so", out, 1 << 24)
            out.seek(0)
            return out.read()

    def fill(self, wheel: Path, name: str = "layer.tar", **more) -> Path:
        return fill_wheel_layer(wheel, self.folder / name, self.filling(**more))

    def filling(self, **more) -> Filling:
        return Filling(
            engine=self.engine,
            image=self.image,
            job="e2e-images",
            owner="e2e",
            settings=self.settings,
            python=self.record.executable,
            **more,
        )

    def assemble(self, *wheels: Path, **more) -> ImageRecord:
        """An image as the image job makes it."""
        pins = {self.pin(wheel): wheel for wheel in wheels}
        spec = ImageSpec(
            toolchain=TOOLCHAIN,
            toolchain_image=self.record.image,
            python_tag=self.record.python_tag,
            policy=self.record.policy,
            base=self.record.runtime_base,
            wheels=tuple(pins),
            **more,
        )
        for pin in missing_wheel_layers(spec, self.store):
            tar = self.fill(pins[pin], bytecode=spec.bytecode)
            keep_wheel_layer(self.store, pin, WheelFill.of(spec), tar, self.folder)
        return assemble(spec, self.store, compile_layers=self.record.layers, scratch=self.folder)

    def fill_of(self) -> WheelFill:
        return WheelFill(toolchain_image=self.record.image)

    def pin(self, wheel: Path) -> WheelPin:
        name, version, *_ = wheel.name.split("-")
        return WheelPin(project=name, version=version, filename=wheel.name, digest=Digest.of_file(wheel))

    def run(
        self, record: ImageRecord, arguments: Sequence[str], entrypoint: str = "", more: Sequence[str] = ()
    ) -> str:
        """Load an image into the engine and run it as closed as can be; its standard output."""
        archive = self.folder / "image.tar"
        with archive.open("wb") as target:
            write_docker_archive(target, load_image(self.store, record), blob_opener(self.store))
        image = self.engine.load(archive)
        assert image == str(record.image_id)
        traits = self.engine.traits
        closed = ["--rm", "--network", "none", "--read-only", "--cap-drop", "all", "--user", "1000:1000"]
        program = ["--entrypoint", entrypoint] if entrypoint else []
        done = subprocess.run(
            [*traits.command, "run", *traits.run_options, *closed, *more, *program, image, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def bench(engine, tmp_path_factory) -> Bench:
    made, folder = made_toolchain(engine), tmp_path_factory.mktemp("images")
    copied(made.settings.data_dir / "store", folder / "store")
    settings = Settings(data_dir=folder)
    return Bench(settings, FolderStore(folder / "store"), made.record.image, engine, folder)


@pytest.fixture(scope="module")
def greeter(bench) -> Path:
    module = b"import sys\n\ndef main():\n    print('hello from', sys.executable)\n"
    return bench.wheel("greeter", {"greeter/__init__.py": module, "greeter/odd.py": b"print 'Python 2'\n"})


@pytest.fixture(scope="module")
def guest(bench) -> Path:
    module = b"import greeter\n\ndef main():\n    return 'a guest of hello' if greeter.main else ''\n"
    return bench.wheel("guest", {"guest/__init__.py": module}, requires="greeter==1.0")


@pytest.fixture(scope="module")
def dotter(bench) -> Path:
    native = bench.library(OPENBLAS, "-lopenblas")
    return bench.wheel(
        "dotter", {"dotter/__init__.py": LOAD.encode(), "dotter/native.so": native}, "py3-none-linux_x86_64"
    )


def test_a_layer_filled_twice_is_the_same_bytes(bench, greeter):
    first = bench.fill(greeter, "first.tar").read_bytes()
    assert bench.fill(greeter, "second.tar").read_bytes() == first


def test_a_filled_wheel_is_found_without_any_variable_and_with_its_bytecode(bench, greeter):
    record = bench.assemble(greeter)
    code = (
        "import greeter, importlib.metadata as metadata, pathlib; greeter.main();"
        "print(pathlib.Path(greeter.__cached__).read_bytes()[4:8].hex());"
        "print(all(path.locate().is_file() for path in metadata.files('greeter')));"
        "print(metadata.distribution('greeter').read_text('direct_url.json'))"
    )
    said = bench.run(record, ["-I", "-c", code]).splitlines()
    assert said[0] == "hello from /usr/bin/python3"
    # Flags 1: a hash that is not checked (PEP 552).
    assert said[1:] == ["01000000", "True", "None"]
    assert bench.run(record, [], entrypoint="/usr/local/bin/greeter") == said[0] + "\n"


def test_several_wheels_in_one_container_become_the_bytes_that_each_becomes_alone(bench, greeter, guest):
    alone = {wheel: bench.fill(wheel).read_bytes() for wheel in (greeter, guest)}
    with filler_of([guest, greeter], bench.filling()) as fill:
        for wheel in (guest, greeter):
            assert fill(wheel, bench.folder / "together.tar").read_bytes() == alone[wheel]


def test_pip_check_and_metadata_hold_in_an_image_whose_wheels_share_a_layer(bench, greeter, guest):
    others = [bench.wheel(f"other{number}", {f"other{number}.py": b""}) for number in range(3)]
    record = bench.assemble(greeter, guest, *others, layer_limit=4)
    assert len(record.layers) <= 4
    pip = Path(pip_module.__file__).parent
    said = bench.run(
        record, ["-m", "pip", "check"], more=["--volume", f"{pip}:/pip/pip:ro", "--env", "PYTHONPATH=/pip"]
    )
    assert said == "No broken requirements found.\n"
    code = (
        "import importlib.metadata as metadata\n"
        "print(sorted(each.name for each in metadata.distributions()))\n"
        "print(metadata.entry_points(group='console_scripts')['guest'].load()())"
    )
    names = ["greeter", "guest", "other0", "other1", "other2"]
    assert bench.run(record, ["-I", "-c", code]).splitlines() == [str(names), "a guest of hello"]


def test_without_bytecode_there_are_sources_alone(bench, greeter):
    record = bench.assemble(greeter, bytecode=False)
    code = "import greeter, os; greeter.main(); print(os.path.exists(greeter.__cached__))"
    assert bench.run(record, ["-I", "-c", code]).splitlines() == ["hello from /usr/bin/python3", "False"]


def test_layers_in_zstd_are_loaded_and_run(bench, greeter):
    plain, record = bench.assemble(greeter), bench.assemble(greeter, compression="zstd")
    assert [layer.diff_id for layer in record.layers] == [layer.diff_id for layer in plain.layers]
    layout = bench.folder / "zstd-layout"
    write_oci_layout(layout, load_image(bench.store, record), blob_opener(bench.store), "e2e-zstd")
    traits = bench.engine.traits
    if bench.engine.name != "podman":
        pytest.skip("docker reads no OCI layout from a folder")
    pulled = subprocess.run(
        [*traits.command, "pull", "--quiet", f"oci:{layout}:e2e-zstd"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert pulled.stdout.strip().removeprefix("sha256:") == record.image_id.hex


def test_the_image_holds_no_build_tool_no_shell_and_nothing_with_rights_of_its_own(bench, greeter):
    record = bench.assemble(greeter)
    assert all(record.absent.values()), record.tools_found
    assert record.setuid == ()


def test_the_loader_finds_libraries_of_the_system_layer(bench, dotter):
    record = bench.assemble(dotter)
    assert bench.run(record, ["-c", "import dotter; print(dotter.dot())"]) == "14.0\n"
    assert "libopenblas.so.0" in record.libraries
    assert {"libopenblas0-pthread", "libgfortran5"} <= record.packages.keys()
    titles = [layer.title.split()[0] for layer in record.layers]
    assert titles == ["base", "system", "ld.so.cache", "dotter", "application"]


def test_equal_requests_are_equal_images_and_share_their_layers(bench, dotter, greeter):
    both = bench.assemble(dotter, greeter)
    again = bench.assemble(greeter, dotter)
    assert both.manifest_digest == again.manifest_digest
    alone = bench.assemble(dotter)
    assert {layer.digest for layer in alone.layers} < {layer.digest for layer in both.layers}
    assert find_wheel_layer(bench.store, bench.pin(greeter).digest, bench.fill_of()) in both.layers


def test_a_library_that_nothing_provides_is_named_with_wheel_and_file(bench):
    lost = bench.library(OPENBLAS, "-lopenblas").replace(b"libopenblas.so.0\0", b"libnothings.so.0\0")
    wheel = bench.wheel(
        "lost", {"lost/__init__.py": LOAD.encode(), "lost/native.so": lost}, "py3-none-linux_x86_64"
    )
    with pytest.raises(BuildFailed) as failure:
        bench.assemble(wheel)
    assert failure.value.facts["missing"][0]["soname"] == "libnothings.so.0"
    assert failure.value.facts["missing"][0]["path"].endswith("/lost/native.so")


def test_a_wheel_for_another_python_is_refused_by_pip_in_the_container(bench):
    wheel = bench.wheel("greeter", {"greeter/__init__.py": b""}, "cp38-cp38-linux_x86_64")
    with pytest.raises(BuildFailed) as failure:
        bench.fill(wheel)
    assert "greeter" in failure.value.found
