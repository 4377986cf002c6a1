"""What the smoke test of an image is to try: written down once, as the container reads it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import contents_of
from wheelyard.digests import key_of
from wheelyard.distributions.wheel_file import IMPORTABLE, NOT_IMPORTED
from wheelyard.image_request import ImageRequest
from wheelyard.recipes import get_recipe
from wheelyard.store.contract import Store

SMOKE_FORMAT = 1
"""Raised when the script itself tries something else; part of every verdict's name."""

MOST_FAILURES = 5
TASK_SECONDS = 60.0
_PROGRAM_FOLDERS = ("bin", "sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelTrial:
    """What is tried of one wheel.

    :param imports: modules that its recipe names; none means all that it has at its top.
    :param smoke: Python source of its recipe.
    :param lacking: natives whose programs it runs, and that the image was not asked to have.
    """

    project: str
    imports: tuple[str, ...] = ()
    smoke: str = ""
    lacking: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """What is tried, as JSON-serialisable fields."""
        return {"project": self.project, "imports": list(self.imports), "smoke": self.smoke}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeOrder:
    """All that is tried of one image.

    :param programs: absolute paths of programs that must find their libraries.
    :param entrypoint: the words that a container of it runs.
    :param module: that its entry point runs by `python -m`; empty where it does not.
    :param check: Python source of who asked for the image.
    :param seconds: that one import or check may take.
    """

    wheels: tuple[WheelTrial, ...]
    programs: tuple[str, ...]
    entrypoint: tuple[str, ...]
    module: str
    workdir: str
    check: str
    seconds: float = TASK_SECONDS

    def to_document(self) -> dict[str, Any]:
        """The order as `worker/inside/smoke_image.py` reads it, but for the nonce."""
        return {
            "wheels": [wheel.to_document() for wheel in self.wheels],
            "importable": IMPORTABLE.pattern,
            "not_imported": sorted(NOT_IMPORTED),
            "programs": list(self.programs),
            "entrypoint": list(self.entrypoint),
            "module": self.module,
            "workdir": self.workdir,
            "check": self.check,
            "seconds": self.seconds,
            "most_failures": MOST_FAILURES,
        }

    def asks_for(self, what: str) -> bool:
        """Whether something that passed is among what is tried, as `worker/inside/smoke_image.py` calls it.

        Where a wheel's modules are not named, only the image knows them: then any import is.
        """
        named = {f"import {module}" for wheel in self.wheels for module in wheel.imports}
        named |= {f"the smoke test of {wheel.project}'s recipe" for wheel in self.wheels if wheel.smoke}
        named |= {f"finding the module {self.module} of the entry point"} if self.module else set()
        named |= {"the image's own check"} if self.check else set()
        return what in named or (_any_import(what) and any(not wheel.imports for wheel in self.wheels))

    @property
    def key(self) -> str:
        """What tells it from others: 64 hexadecimal digits."""
        return key_of({"order": self.to_document(), "smoke_format": SMOKE_FORMAT})


def _any_import(what: str) -> bool:
    word, _, module = what.partition(" ")
    return word == "import" and module.isidentifier()


def smoke_order(
    request: ImageRequest, spec: ImageSpec, recipes: Path | None, programs: Sequence[str]
) -> SmokeOrder:
    """The order of one image's smoke test; a function of its arguments and of the recipes as they stand.

    :param recipes: the team's folder of them.
    :param programs: as `programs_of` finds them.
    :raises InputError: a recipe can't be read.
    """
    wheels = []
    for pin in spec.ordered_wheels:
        variant = request.build.variants.get(pin.project, "")
        recipe = get_recipe(pin.project, recipes, version=pin.version, variant=variant)
        lacking = tuple(name for name in recipe.runtime_natives if name not in request.natives)
        # The recipe's test runs the native's programs; whether it can be imported without them is tried.
        smoke = "" if lacking else recipe.smoke
        wheels.append(WheelTrial(project=pin.project, imports=recipe.imports, smoke=smoke, lacking=lacking))
    words = (*spec.entrypoint, *spec.command)
    return SmokeOrder(
        wheels=tuple(wheels),
        programs=tuple(sorted(programs)),
        entrypoint=words,
        module=module_of(words),
        workdir=spec.workdir,
        check=request.check,
    )


def module_of(words: Sequence[str]) -> str:
    """The module that a command runs by `python -m`; empty where it is another command."""
    if not words or not posixpath.basename(words[0]).startswith("python"):
        return ""
    for number, word in enumerate(words[1:], start=1):
        if word == "-m":
            return words[number + 1] if number + 1 < len(words) else ""
        if word == "-c" or not word.startswith("-"):
            break
    return ""


def programs_of(spec: ImageSpec, store: Store, scratch: Path) -> tuple[str, ...]:
    """Programs that packages and natives brought: ELF files that may be run, in folders for programs.

    :param scratch: folder for a layer's tar, where it has to be unpacked.
    """
    found = set()
    for layer in spec.lower.layers:
        contents = contents_of(store, layer, scratch)
        for path in contents.elves:
            folder = posixpath.basename(posixpath.dirname(path))
            if folder in _PROGRAM_FOLDERS and contents.entries[path].mode & 0o111:
                found.add(f"/{path}")
    return tuple(sorted(found))
