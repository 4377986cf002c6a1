"""What an image stands on: the toolchain's own base, or an image of a registry; and the packages in it."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime_images.deb_index import field_of
from runtime_images.debian_packages import STATUS_FOLDER
from runtime_images.install_scheme import OWN_SCHEME, InstallScheme
from runtime_images.layer_contents import clean_name
from runtime_images.stored_layers import unpacked_layer
from wheelyard.oci import Layer
from wheelyard.store.contract import Store
from worker.context import Work
from worker.debian.deb_layer import STATUS, merge_status
from worker.toolchain_images import base_toolchain
from worker.toolchain_job import ReadyToolchain

_DEPENDENCIES = re.compile(r"^(Pre-)?Depends:.*\n([ \t].*\n)*", re.MULTILINE)
_NUMBERED = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A base, ready to be built on.

    :param layers: bottom first; never empty.
    :param packages: Debian packages in it, name to version.
    :param suite: code name of the Debian release that packages are added from; empty where it is none.
    :param scheme: where its Python is, and looks for packages.
    :param environment: variables that its own config sets.
    """

    layers: tuple[Layer, ...]
    packages: Mapping[str, str]
    suite: str
    scheme: InstallScheme = OWN_SCHEME
    environment: Mapping[str, str] = field(default_factory=dict)


def own_ground(work: Work, ready: ReadyToolchain) -> Ground:
    """The toolchain's runtime base.

    :raises Conflict: it has none.
    """
    base = base_toolchain(ready.toolchain, work.services.settings)
    return Ground(
        layers=(ready.record.runtime_base,),
        packages=ready.record.base_packages,
        suite=base.debian.suite if base is not None and base.debian is not None else "",
    )


def status_of(store: Store, ground: Ground, scratch: Path) -> str:
    """The packages of a base as dpkg's status has them, without what they depend on.

    A base holds parts of its packages, and not all that these would have apt install; asked with
    their dependencies, apt would find them broken before anything is added.

    :param scratch: folder for the layers while they are read.
    """
    stanzas: dict[str, str] = {}
    scratch.mkdir(parents=True, exist_ok=True)
    for layer in ground.layers:
        with unpacked_layer(store, layer, scratch) as tar, tarfile.open(tar, mode="r:") as archive:
            for member in archive:
                path = clean_name(member.name)
                one = path.startswith(f"{STATUS_FOLDER}/") and not path.endswith(".md5sums")
                if not member.isfile() or not (one or path == STATUS):
                    continue
                stream = archive.extractfile(member)
                text = stream.read().decode("utf-8", "replace") if stream is not None else ""
                stanzas |= {
                    field_of(stanza, "Package"): stanza for stanza in text.split("\n\n") if stanza.strip()
                }
    return merge_status("", (_DEPENDENCIES.sub("", _plain(stanza)) for stanza in stanzas.values()))


def _plain(stanza: str) -> str:
    """A stanza as a control file has it: whether it is installed is said anew."""
    lines = (line for line in stanza.strip().splitlines() if not line.startswith("Status:"))
    return "\n".join(lines) + "\n"
