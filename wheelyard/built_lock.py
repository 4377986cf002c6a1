"""The lock of a build, as pip and uv install from it: our own wheels by hash, and the sdists behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelyard.digests import Digest
from wheelyard.locks import IndexFile, Lock
from wheelyard.plan import Plan, Role

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltProject:
    """One project of the lock.

    :param sdist: that its wheel is made of.
    :param wheel: None where it is not built yet.
    """

    project: str
    version: str
    sdist: IndexFile | None
    wheel: IndexFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLock:
    """What one plan comes to, project by project.

    :param toolchain: its name.
    :param python: minor version of its Python, such as `3.11`.
    :param machine: that its wheels run on, such as `x86_64`.
    :param site: address of the service, without a slash at its end.
    :param index: address of the index that has the wheels.
    """

    toolchain: str
    python: str
    machine: str
    site: str
    index: str
    projects: tuple[BuiltProject, ...]

    def requirements_text(self) -> str:
        """The lock as requirements with hashes, for `pip install --require-hashes`."""
        lines = [
            f"# Of the toolchain {self.toolchain}: wheels that were built here, and the sdists behind them.",
            f"# pip install --require-hashes --only-binary :all: --index-url {self.index} -r FILE",
        ]
        for one in self.projects:
            files = [file for file in (one.wheel, one.sdist) if file is not None]
            if one.wheel is None:
                lines.append(f"# not built yet: {one.project}")
            words = [f"{one.project}=={one.version}", *(f"    --hash={file.digest}" for file in files)]
            lines.append(" \\\n".join(words))
        return "\n".join(lines) + "\n"

    def pylock_text(self) -> str:
        """The lock as pylock.toml (PEP 751): only what is built is in it."""
        lock = Pylock(
            lock_version=Version("1.0"),
            environments=[Marker(f"sys_platform == 'linux' and platform_machine == '{self.machine}'")],
            requires_python=SpecifierSet(f"=={self.python}.*"),
            created_by="wheelyard",
            packages=[self._package(one, one.wheel) for one in self.projects if one.wheel is not None],
        )
        lock.validate()
        return _toml(lock.to_dict())

    def _package(self, one: BuiltProject, wheel: IndexFile) -> Package:
        return Package(
            name=canonicalize_name(one.project),
            version=Version(one.version),
            index=self.index,
            sdist=PackageSdist(
                name=one.sdist.filename,
                url=f"{self.site}/v1/blobs/{one.sdist.digest}",
                hashes={"sha256": one.sdist.digest.hex},
            )
            if one.sdist is not None
            else None,
            wheels=[
                PackageWheel(
                    name=wheel.filename,
                    url=f"{self.site}/files/{wheel.digest.hex}/{wheel.filename}",
                    hashes={"sha256": wheel.digest.hex},
                )
            ],
        )


def projects_of(plan: Plan, lock: Lock) -> tuple[BuiltProject, ...]:
    """The projects of a lock with the wheels that a plan has of them by now, sorted by name."""
    wheels = {
        (node.project, node.version): IndexFile(filename=node.filename, digest=Digest.parse(node.digest))
        for node in plan
        if node.role is Role.RUNTIME and node.digest and node.filename
    }
    return tuple(
        BuiltProject(
            project=pin.project,
            version=pin.version,
            sdist=pin.sdist,
            wheel=wheels.get((pin.project, pin.version)),
        )
        for pin in sorted(lock.pins, key=lambda pin: pin.project)
    )


def _toml(document: Mapping[str, Any]) -> str:
    """The few shapes of TOML that a lock has; packages as tables, all below them in one line."""
    lines = [f"{_key(name)} = {_value(value)}" for name, value in document.items() if name != "packages"]
    for package in document["packages"]:
        lines += ["", "[[packages]]", *(f"{_key(name)} = {_value(value)}" for name, value in package.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    # A basic string of TOML is one of JSON, but for the letter DEL, which no name or address here has.
    return json.dumps(value, ensure_ascii=False)
