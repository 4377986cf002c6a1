"""Toolchains made real: a compile image and a runtime base, from Debian packages or from a registry."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wheelyard.errors import InputError
from wheelyard.oci import Image, Layer, Runtime, make_image
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.toolchain_record import ToolchainRecord, save_record
from wheelyard.toolchains import Debian, Toolchain, get_toolchain
from worker.debian.bootstrap import download_packages, install_packages
from worker.debian.mirror import Mirror, find_mirror
from worker.debian.runtime_base import RuntimeBase, assemble_base
from worker.debian.stdlib_bytecode import compile_stdlib
from worker.engine.contract import Engine
from worker.kept_image import keep_documents, keep_layer, kept_image, load_image
from worker.layer_tar import Entry, normalise_tar, pack_folder
from worker.registry_image import packages_in, pull_image
from worker.tools_layer import download_tools, make_tools_tar

# Zip archives can't hold an earlier time, and wheels take files of the compile image into them.
COMPILE_MTIME = 315_619_200
BASE_MTIME = 0
COMPILE_LEVEL = 1
BASE_LEVEL = 9
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LABEL_TOOLCHAIN = "wheelyard.toolchain"

# The making machine's own traces, and what would differ between two mirrors or two days.
_NOT_IN_COMPILE = re.compile(
    r"""
    (dev|proc|sys|run|tmp|boot|home|root)/.*
    | var/(cache|log|tmp|backups)/.* | var/lib/apt/.* | var/lib/systemd/.* | var/lib/dpkg/.*-old
    | etc/(hostname|resolv\.conf|machine-id|\.pwd\.lock|passwd-|group-|shadow-|gshadow-|mtab)
    | etc/apt/(sources\.list|(sources\.list|trusted\.gpg)\.d/.*|apt\.conf\.d/99mmdebstrap)
    | etc/dpkg/dpkg\.cfg\.d/99mmdebstrap
    | usr/lib/python3\.\d+/EXTERNALLY-MANAGED
    """,
    re.VERBOSE | re.DOTALL,
)

Report = Callable[[str], None]
Check = Callable[[], None]


def _go_on() -> None:
    """Nobody asks for an early end."""


def build_toolchain(
    toolchain: Toolchain,
    settings: Settings,
    store: Store,
    engine: Engine,
    report: Report,
    check: Check = _go_on,
) -> ToolchainRecord:
    """Make a toolchain's compile image and runtime base, keep them in the store, and load the image.

    May be repeated: the same packages give the same image, and then nothing new is stored.

    :param report: takes lines for people.
    :param check: called all the time; what it raises ends the making, and everything that it runs.
    :raises InfrastructureError: a mirror, the index, the store or the engine failed.
    :raises InputError: the toolchain's file asks for what can't be had.
    """
    parent = settings.data_dir / "work"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="toolchain-", dir=parent) as folder:
        # Containers read below it as another user.
        Path(folder).chmod(0o755)
        making = _Making(toolchain, settings, store, engine, report, check, Path(folder))
        record = making.make()
    save_record(store, record)
    report(f"{toolchain.name}: ready, {record.image}")
    return record


def ensure_loaded(record: ToolchainRecord, store: Store, engine: Engine) -> str:
    """Load a toolchain's compile image into the engine where it is missing; returns its image id.

    :raises StoreUnavailable: a part of it is not in the store, or the store does not answer.
    """
    if engine.has_image(record.image):
        return record.image
    image = kept_image(store, record.image, record.manifest, record.layers)
    return load_image(store, engine, image, _tag(record.name, image))


class _Making:
    """One making of one toolchain: the steps, and what all of them need."""

    def __init__(
        self,
        toolchain: Toolchain,
        settings: Settings,
        store: Store,
        engine: Engine,
        report: Report,
        check: Check,
        work: Path,
    ) -> None:
        self._toolchain = toolchain
        self._settings = settings
        self._store = store
        self._engine = engine
        self._report = report
        self._check = check
        self._work = work

    def _tell(self, line: str) -> None:
        self._check()
        self._report(f"{self._toolchain.name}: {line}")

    def make(self) -> ToolchainRecord:
        """Everything, in order; downloads run beside the bootstrap."""
        based_on = base_toolchain(self._toolchain, self._settings)
        with ThreadPoolExecutor(max_workers=2) as pool:
            assembled = pool.submit(self._assemble, based_on) if based_on else None
            downloaded = pool.submit(self._download_tools)
            layers, environment, packages = self._bare_layers()
            wheels = downloaded.result()
            base = assembled.result() if assembled else None
        self._tell("installing the builder's tools")
        runtime = Runtime(
            workdir="/build",
            environment={**environment, "USER": "build", "LANG": "C.UTF-8"},
            command=("/bin/sh",),
            labels={LABEL_TOOLCHAIN: self._toolchain.name},
        )
        bare = self._load(make_image(layers, runtime))
        image = make_image([*layers, self._tools_layer(bare, wheels)], runtime)
        loaded = self._load(image)
        if not self._toolchain.debian:
            packages = packages_in(self._toolchain, loaded, self._engine)
        python = self._toolchain.python
        return ToolchainRecord(
            name=self._toolchain.name,
            image=loaded,
            manifest=str(image.digest),
            layers=image.layers,
            base=self._base_layer(base, loaded) if base else None,
            packages=packages,
            base_packages=base.packages if base else {},
            policy=self._toolchain.policy,
            python=python.version,
            python_tag=python.tag,
            executable=python.executable,
            origin=self._toolchain.image,
        )

    def _bare_layers(self) -> tuple[list[Layer], Mapping[str, str], dict[str, str]]:
        """The image without the builder's tools: layers, environment, and packages where they are known."""
        if self._toolchain.debian:
            layer, packages = self._install(self._toolchain.debian, find_mirror(self._settings))
            return [layer], {"PATH": PATH}, packages
        self._tell("pulling the image")
        pulled = pull_image(self._toolchain, self._settings, self._engine, self._work)
        name = self._toolchain.image.partition("@")[0]
        return [self._keep(tar, name, COMPILE_LEVEL) for tar in pulled.layers], pulled.environment, {}

    def _install(self, debian: Debian, mirror: Mirror) -> tuple[Layer, dict[str, str]]:
        self._tell(f"installing {len(debian.packages)} packages of {debian.suite} and what they need")
        raw, tar = self._work / "raw.tar", self._work / "packages.tar"
        install_packages(debian.suite, debian.packages, mirror, raw, self._check)
        self._tell("packing the compile image")
        with tarfile.open(raw, mode="r:") as archive:
            extra, packages = list(_accounts(archive)), dict(_installed(archive))
        with tar.open("wb") as target:
            normalise_tar(raw, target, mtime=COMPILE_MTIME, keep=keep_in_compile, extra=extra)
        raw.unlink()
        return self._keep(tar, f"{self._toolchain.name} packages", COMPILE_LEVEL), packages

    def _assemble(self, toolchain: Toolchain) -> RuntimeBase:
        debian = toolchain.debian
        if debian is None:
            raise InputError(f"{toolchain.name} has no runtime base of its own")
        debs, work = self._work / "debs", self._work / "base"
        debs.mkdir()
        work.mkdir()
        mirror = find_mirror(self._settings)
        files = download_packages(debian.suite, debian.base_packages, mirror, debs, self._check)
        return assemble_base(toolchain, debian.base_packages, files, work)

    def _download_tools(self) -> Path:
        wheels = self._work / "tools"
        wheels.mkdir()
        download_tools(self._toolchain, self._settings, wheels, self._check)
        return wheels

    def _tools_layer(self, bare: str, wheels: Path) -> Layer:
        tar = make_tools_tar(
            self._toolchain, bare, self._engine, wheels, self._work, COMPILE_MTIME, self._tell
        )
        return self._keep(tar, f"{self._toolchain.name} tools", COMPILE_LEVEL)

    def _base_layer(self, base: RuntimeBase, image: str) -> Layer:
        self._tell("packing the runtime base")
        compile_stdlib(self._toolchain, image, self._engine, base.folder, self._work, self._tell)
        raw, tar = self._work / "base-raw.tar", self._work / "base.tar"
        pack_folder(base.folder, raw)
        with tar.open("wb") as target:
            normalise_tar(raw, target, mtime=BASE_MTIME, extra=base.entries)
        return self._keep(tar, f"base {self._toolchain.base or self._toolchain.name}", BASE_LEVEL)

    def _keep(self, tar: Path, title: str, level: int) -> Layer:
        self._check()
        layer = keep_layer(self._store, tar, title, level)
        tar.unlink()
        return layer

    def _load(self, image: Image) -> str:
        self._check()
        keep_documents(self._store, image)
        return load_image(self._store, self._engine, image, _tag(self._toolchain.name, image))


def base_toolchain(toolchain: Toolchain, settings: Settings) -> Toolchain | None:
    """The toolchain whose packages make this one's runtime base: itself, the one that it names, or none.

    :raises InputError: the named one is not made from packages, or has another Python.
    """
    if not toolchain.base:
        return toolchain if toolchain.debian else None
    base = get_toolchain(toolchain.base, settings.toolchains_dir)
    if base.debian is None or base.python.version != toolchain.python.version:
        raise InputError(
            f"the toolchain {toolchain.name} can't use the runtime base of {base.name}",
            expected=f"a toolchain made from Debian packages, with Python {toolchain.python.version}",
            found=f"Python {base.python.version}" + ("" if base.debian else ", from a registry"),
        )
    return base


def keep_in_compile(path: str) -> bool:
    """Whether a file of the bootstrapped system belongs into the compile image.

    :param path: without a slash at its start.
    """
    return _NOT_IN_COMPILE.fullmatch(path) is None


def _accounts(archive: tarfile.TarFile) -> list[Entry]:
    lines = {"etc/passwd": "build:x:1000:1000:build:/tmp/home:/bin/bash\n", "etc/group": "build:x:1000:\n"}
    return [
        Entry(path=path, content=_text(archive, path).encode() + line.encode())
        for path, line in lines.items()
    ]


def _installed(archive: tarfile.TarFile) -> dict[str, str]:
    found: dict[str, str] = {}
    for stanza in _text(archive, "var/lib/dpkg/status").split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in stanza.splitlines() if not line.startswith(" "))
        if "Package" in fields:
            found[fields["Package"]] = fields.get("Version", "")
    return found


def _text(archive: tarfile.TarFile, path: str) -> str:
    stream = archive.extractfile(f"./{path}")
    return stream.read().decode() if stream else ""


def _tag(name: str, image: Image) -> str:
    return f"localhost/wheelyard/{name}:{image.id.hex[:12]}"
