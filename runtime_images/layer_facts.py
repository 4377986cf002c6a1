"""What a layer says of itself: its projects and packages, its programs and scripts, and what files name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from runtime_images.licence_names import Licence
from wheelyard.image_receipt import Component


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """An installed Python project, as its `.dist-info` says.

    :param name: canonical (PEP 503).
    :param folder: path of its `.dist-info` in the image.
    :param requires: what it requires (PEP 508), as METADATA has it.
    :param files: paths in the image that its RECORD names.
    :param components: what its own SBOMs (PEP 770) say is inside, such as libraries that were grafted in.
    """

    name: str
    version: str
    folder: str
    licence: Licence
    requires: tuple[str, ...]
    files: tuple[str, ...]
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """A Debian package of which the layer holds files, as dpkg's database in it says.

    :param source: name and version of the source package; empty where they are its own.
    :param files: paths in the image that its list or md5sums name; some may lie in another layer, or nowhere.
    """

    name: str
    version: str
    architecture: str
    source: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An ELF file that can be started.

    :param interpreter: the loader that it asks for; empty where it needs none.
    :param marks: tools whose marks are among its bytes.
    """

    interpreter: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What was read out of one layer. Paths have no slash at their start.

    :param copyrights: Debian package to what its copyright file says.
    :param programs: path to program, whatever its mode.
    :param scripts: path to what stands behind `#!`, of files that may be run.
    :param modules: ELF files with an init function of a Python module.
    :param mentions: path to names of shared libraries among its bytes, beside those that it needs.
    :param release: what `/etc/os-release` calls the distribution and its version, such as `debian-12`.
    :param capabilities: files with capabilities (setcap), which are rights as setuid is.
    """

    projects: tuple[Project, ...] = ()
    packages: tuple[DebianPackage, ...] = ()
    copyrights: Mapping[str, Licence] = field(default_factory=dict)
    programs: Mapping[str, Program] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    mentions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    release: str = ""

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LayerFacts:
        """Inverse of `to_document`."""
        return cls(
            projects=tuple(
                Project(
                    **{
                        **one,
                        "licence": _licence(one["licence"]),
                        "requires": tuple(one["requires"]),
                        "files": tuple(one["files"]),
                        "components": tuple(Component(**each) for each in one["components"]),
                    }
                )
                for one in document["projects"]
            ),
            packages=tuple(
                DebianPackage(**{**one, "files": tuple(one["files"])}) for one in document["packages"]
            ),
            copyrights={name: _licence(one) for name, one in document["copyrights"].items()},
            programs={
                path: Program(interpreter=one["interpreter"], marks=tuple(one["marks"]))
                for path, one in document["programs"].items()
            },
            scripts=document["scripts"],
            modules=tuple(document["modules"]),
            mentions={path: tuple(names) for path, names in document["mentions"].items()},
            capabilities=tuple(document["capabilities"]),
            release=document["release"],
        )


def _licence(document: Mapping[str, Any]) -> Licence:
    return Licence(**{**document, "names": tuple(document["names"])})
