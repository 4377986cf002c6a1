"""Images out of a registry, for toolchains and bases: stand-ins on a real one, pulled by digest."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest

from tests.e2e.made_toolchain import made_toolchain, remove_images
from wheelyard.errors import Conflict, EngineFailed, InputError
from wheelyard.oci import Runtime, make_image, write_oci_layout
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import load_record
from wheelyard.toolchains import get_toolchain
from worker.engine.contract import ContainerSpec
from worker.image_ground import status_of
from worker.registry_base import registry_ground
from worker.toolchain_images import build_toolchain, ensure_loaded

pytestmark = [pytest.mark.engine, pytest.mark.slow]

REPOSITORY = "stand-in/manylinux"
CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
TOOLCHAIN = """\
description = "a stand-in for manylinux"
policy = "manylinux_2_36_x86_64"
image = "{image}"
tools = "tools-cp311.txt"
[python]
version = "3.11"
tag = "cp311"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    (folder / "config.yml").write_text(CONFIG.format(root=folder / "data", port=port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=subprocess.STDOUT
        )
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def stand_in(engine, registry, tmp_path_factory):
    """A compile image without the builder's tools, as somebody else's registry would have it."""
    made = made_toolchain(engine)
    runtime = Runtime(
        environment={"PATH": "/usr/bin:/bin", "AUDITWHEEL_POLICY": "manylinux_2_28"},
        entrypoint=("/no/such/program",),
        user="",
    )
    image = make_image(made.record.layers[:1], runtime)
    folder = tmp_path_factory.mktemp("layout")
    write_oci_layout(folder, image, made.store.open_blob, tag="x")
    target = f"docker://{registry}/{REPOSITORY}:x"
    command = [
        "skopeo",
        "copy",
        "--quiet",
        "--insecure-policy",
        "--dest-tls-verify=false",
        f"oci:{folder}:x",
        target,
    ]
    subprocess.run(command, check=True, timeout=300)
    return f"{REPOSITORY}@{image.digest}"


@pytest.fixture(scope="module")
def toolchains(stand_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("toolchains")
    (folder / "team-cp311.toml").write_text(TOOLCHAIN.format(image=stand_in))
    return folder


def test_is_pulled_by_digest_and_gets_the_builders_tools(engine, registry, toolchains, tmp_path):
    settings = Settings(image_registry=registry, toolchains_dir=toolchains, data_dir=tmp_path)
    store = FolderStore(tmp_path / "store")
    lines: list[str] = []
    record = build_toolchain(get_toolchain("team-cp311", toolchains), settings, store, engine, lines.append)
    assert record == load_record(store, "team-cp311", record.image)
    assert record.origin.startswith(f"{REPOSITORY}@sha256:")
    assert "gcc" in record.packages
    with pytest.raises(Conflict):
        _ = record.runtime_base
    assert ensure_loaded(record, store, engine) == record.image
    spec = ContainerSpec(
        image=record.image, job="test-registry", owner="tester", memory=512 << 20, tmpfs={"/build": 64 << 20}
    )
    with engine.start(spec) as container:
        script = "id -u; stat -c %a /build; echo $AUDITWHEEL_POLICY; /opt/wheelyard/bin/auditwheel --version"
        found: list[str] = []
        ended = container.run(["/bin/sh", "-ec", script], on_line=found.append, timeout=60)
    assert ended.code == 0, found
    assert found[:3] == ["1000", "1777", "manylinux_2_28"]
    assert found[3].startswith("auditwheel ")
    remove_images(engine, record.image, f"{registry}/{record.origin}")


def test_another_host_gets_the_image_from_the_store_alone(engine, registry, toolchains, tmp_path):
    made = made_toolchain(engine)
    remove_images(engine, made.record.image)
    assert not engine.has_image(made.record.image)
    assert ensure_loaded(made.record, made.store, engine) == made.record.image
    assert engine.has_image(made.record.image)


def test_says_so_where_the_registry_does_not_have_the_digest(engine, registry):
    with pytest.raises(EngineFailed) as caught:
        engine.pull(f"{registry}/{REPOSITORY}@sha256:{'0' * 64}")
    assert json.dumps(caught.value.to_document())


@pytest.fixture(scope="module")
def base_image(engine, registry, tmp_path_factory):
    """A stand-in for python:3.11-slim: Debian's files, CPython, and variables of its own."""
    made = made_toolchain(engine)
    runtime = Runtime(
        environment={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION": "3.11"},
        command=("python3",),
        user="",
    )
    image = make_image([made.record.runtime_base], runtime)
    folder = tmp_path_factory.mktemp("base-layout")
    write_oci_layout(folder, image, made.store.open_blob, tag="x")
    target = f"docker://{registry}/stand-in/python:3.11-slim"
    copy = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]
    subprocess.run([*copy, f"oci:{folder}:x", target], check=True, timeout=300)
    yield f"stand-in/python:3.11-slim@{image.digest}"
    remove_images(engine, str(image.id), f"{registry}/stand-in/python@{image.digest}")


@pytest.fixture
def work(engine, registry, tmp_path):
    """As much of a job as a base needs."""
    services = SimpleNamespace(
        store=FolderStore(tmp_path / "store"),
        settings=Settings(image_registry=registry, data_dir=tmp_path),
        engine=engine,
        owner="tester",
    )
    return SimpleNamespace(
        services=services,
        claim=SimpleNamespace(id="test-base"),
        log=SimpleNamespace(line=print),
        scratch=tmp_path,
        watching=lambda _: contextlib.nullcontext(),
    )


def test_a_base_is_pulled_by_digest_asked_for_its_python_and_kept(work, base_image, tmp_path):
    toolchain = get_toolchain("debian12-cp311")
    ground = registry_ground(work, toolchain, base_image)
    assert [layer.title for layer in ground.layers] == ["base stand-in/python:3.11-slim"]
    assert ground.scheme.python == "/usr/bin/python3"
    assert ground.scheme.site == "/usr/local/lib/python3.11/dist-packages"
    assert (ground.suite, ground.environment["PYTHON_VERSION"]) == ("bookworm", "3.11")
    assert "libc6" in ground.packages
    assert "Package: libc6\n" in status_of(work.services.store, ground, tmp_path)
    work.services.engine = None
    assert registry_ground(work, toolchain, base_image) == ground, "the second time nothing is pulled"


def test_a_base_with_another_python_than_the_toolchain_s_is_refused(work, base_image):
    with pytest.raises(InputError) as failure:
        registry_ground(work, get_toolchain("debian13-cp313"), base_image)
    assert "does not fit the toolchain debian13-cp313" in failure.value.failed
    assert "cpython 3.11" in failure.value.found
