"""An image of a registry as the base of others: pulled by digest, its layers kept, its Python asked."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime_images.install_scheme import InstallScheme
from wheelyard.digests import canonical_json, key_of
from wheelyard.errors import EngineFailed, InputError
from wheelyard.oci import Layer
from wheelyard.toolchains import Toolchain
from worker.context import Work
from worker.engine.contract import ProgramSpec
from worker.image_ground import Ground
from worker.kept_image import keep_layer
from worker.registry_image import MEMORY, base_reference, pull_reference

FORMAT = 1
"""Raised when more is asked of a base; part of the kept document's name."""

_LEVEL = 6
_ASK_SECONDS = 120.0

# Told by the interpreter itself, in the image, so that no path of anybody's has to be guessed.
_QUESTION = """\
import json, os, platform, site, sys, sysconfig
release = {}
for place in ("/etc/os-release", "/usr/lib/os-release"):
    if not release and os.path.exists(place):
        with open(place) as lines:
            release = dict(line.strip().partition("=")[::2] for line in lines if "=" in line)
packages = {}
status = "/var/lib/dpkg/status"
texts = [status] if os.path.exists(status) else []
if os.path.isdir(status + ".d"):
    texts += [os.path.join(status + ".d", name) for name in os.listdir(status + ".d")]
for place in texts:
    name = ""
    if place.endswith(".md5sums"):
        continue
    with open(place, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("Package: "):
                name = line[9:].strip()
            elif line.startswith("Version: ") and name:
                packages[name] = line[9:].strip()
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": "%d.%d" % sys.version_info[:2],
    "soabi": sysconfig.get_config_var("SOABI") or "",
    "libc": platform.libc_ver(),
    "machine": platform.machine(),
    "executable": os.path.abspath(sys.executable),
    "purelib": sysconfig.get_path("purelib"),
    "platlib": sysconfig.get_path("platlib"),
    "sites": site.getsitepackages(),
    "os": release.get("ID", "").strip('"'),
    "codename": release.get("VERSION_CODENAME", "").strip('"'),
    "packages": packages,
}))
"""


def registry_ground(work: Work, toolchain: Toolchain, base: str) -> Ground:
    """A base out of the registry of the settings.

    It is pulled once; its layers and what was found out about it are kept under its digest.

    :param base: `REPOSITORY@sha256:…`, where `:TAG` may stand before the digest.
    :raises InputError: no registry is set, or its Python does not fit the toolchain's.
    :raises EngineFailed: it can't be pulled, or holds no Python.
    """
    store, place = work.services.store, _place(base, toolchain)
    body = store.get_document(place)
    if body is not None:
        kept = json.loads(body)
        layers = tuple(Layer.from_document(layer) for layer in kept["layers"])
        if all(store.renew_blob(layer.digest) is not None for layer in layers):
            return _ground(kept, layers)
    work.log.line(f"pulling the base {base}")
    reference = base_reference(base, work.services.settings)
    with tempfile.TemporaryDirectory(prefix="base-", dir=work.scratch) as folder:
        pulled = pull_reference(reference, work.services.engine, Path(folder))
        facts = _ask(work, pulled.image, base)
        _refuse_unfit(base, facts, toolchain)
        title = f"base {base.partition('@')[0]}"
        layers = tuple(keep_layer(store, tar, title, _LEVEL) for tar in pulled.layers)
    kept = {
        "layers": [layer.to_document() for layer in layers],
        "facts": facts,
        "environment": dict(pulled.environment),
    }
    if body is None:
        store.put_document(place, canonical_json(kept))
    return _ground(kept, layers)


def _place(base: str, toolchain: Toolchain) -> str:
    digest = base.rpartition("@sha256:")[2]
    fit = key_of({"python": toolchain.python.tag, "policy": toolchain.policy})[:16]
    return f"records/layers/bases-{FORMAT}/{digest}-{fit}-base.json"


def _ground(kept: Mapping[str, Any], layers: tuple[Layer, ...]) -> Ground:
    facts = kept["facts"]
    return Ground(
        layers=layers,
        packages=facts["packages"],
        suite=facts["codename"] if facts["os"] == "debian" else "",
        scheme=InstallScheme(python=facts["executable"], site=facts["purelib"]),
        environment=kept["environment"],
    )


def _ask(work: Work, image: str, base: str) -> dict[str, Any]:
    """What the image's own Python says of itself, in a container without network."""
    asked = ProgramSpec(
        image=image,
        job=work.claim.id,
        owner=work.services.owner,
        argv=("python3", "-I", "-c", _QUESTION),
        memory=MEMORY,
    )
    lines: list[str] = []
    try:
        with work.services.engine.program(asked) as program, work.watching(program):
            ended = program.run(on_line=lines.append, timeout=_ASK_SECONDS)
        if ended.code == 0 and lines:
            facts: dict[str, Any] = json.loads(lines[-1])
            return facts
    except (ValueError, EngineFailed) as error:
        lines.append(str(error))
    raise InputError(
        f"the base {base} can't be used",
        expected="an image with python3 in its PATH",
        found="\n".join(lines[-5:])[:600],
        do="take an image of Python, such as python:3.12-slim, by its digest",
    )


def _refuse_unfit(base: str, facts: Mapping[str, Any], toolchain: Toolchain) -> None:
    policy = re.fullmatch(r"manylinux_(\d+)_(\d+)_(.+)", toolchain.policy)
    wanted = (int(policy[1]), int(policy[2])) if policy else (0, 0)
    name, version = [*facts["libc"], "", ""][:2]
    libc = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    problems = []
    if facts["implementation"] != "cpython" or facts["version"] != toolchain.python.version:
        problems.append(f"{facts['implementation']} {facts['version']}")
    if not facts["soabi"].startswith(f"cpython-{toolchain.python.tag.removeprefix('cp')}-"):
        problems.append(f"the ABI {facts['soabi'] or 'of an unknown name'}")
    if policy is None or name != "glibc" or libc < wanted:
        problems.append(f"{name or 'another C library than glibc'} {version}".strip())
    if policy is not None and facts["machine"] != policy[3]:
        problems.append(facts["machine"])
    if facts["purelib"] != facts["platlib"] or facts["purelib"] not in facts["sites"]:
        problems.append(f"packages in {facts['purelib']} and {facts['platlib']}")
    if problems:
        raise InputError(
            f"the base {base} does not fit the toolchain {toolchain.name}",
            expected=f"CPython {toolchain.python.version}, and glibc {wanted[0]}.{wanted[1]} or newer",
            found=", ".join(problems),
            do="take a base with that Python, or the toolchain that fits the base",
        )
