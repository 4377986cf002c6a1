"""The test of a checked wheel in a clean container: install, import, smoke."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace

from wheelyard.distributions.wheel_file import CheckedWheel
from wheelyard.native_recipe import prefix_of
from wheelyard.recipes import Recipe, recipe_of
from wheelyard.wheel_record import WheelRecord
from worker.build_container import Allotment, build_environment, container_spec, lay_scripts, run_phase
from worker.context import Work
from worker.native_job import native_node
from worker.natives import lay_natives, lost_native, mounts_of
from worker.toolchain_job import ReadyToolchain

_SECONDS = 600.0
_SCRIPT = "/in/inside/test_wheel.py"


def test_wheel(
    work: Work,
    ready: ReadyToolchain,
    wheel: CheckedWheel,
    recipe: Recipe,
    runtime: Sequence[WheelRecord],
    allotment: Allotment,
) -> tuple[str, ...]:
    """Install a wheel in a container without network, from itself and our own wheels alone, and import it.

    :param recipe: of its version and variant.
    :param runtime: records of the wheels that it may need at run time.
    :returns: the modules that were imported.
    :raises BuildFailed: a requirement is not met, an import fails, or the recipe's smoke test does.
    """
    modules = recipe.imports or wheel.modules
    folder = work.scratch / "test"
    lay_scripts(folder)
    wheels = folder / "wheels"
    wheels.mkdir()
    shutil.copy(wheel.path, wheels / wheel.path.name)
    for record in runtime:
        work.services.store.fetch_blob(record.digest, wheels / record.filename)
    order = {
        "wheel": wheel.path.name,
        "modules": list(modules),
        "smoke": recipe.smoke,
        "python": ready.toolchain.python.executable,
    }
    (folder / "test.json").write_text(json.dumps(order))
    natives = _natives(work, ready, recipe, runtime)
    beside = folder.with_name("test-natives")
    lay_natives(work.services.store, natives, beside)
    spec, environment = container_spec(work, ready.image, folder, allotment), build_environment({}, 0)
    spec = replace(spec, mounts={**spec.mounts, **dict(mounts_of(beside, natives))})
    environment["PATH"] = ":".join([*(f"{prefix_of(name)}/bin" for name in natives), environment["PATH"]])
    with work.services.engine.start(spec) as container, work.watching(container):
        run_phase(work, container, "test", environment, _SECONDS, allotment.limits, _SCRIPT)
    return tuple(modules)


def _natives(
    work: Work, ready: ReadyToolchain, recipe: Recipe, runtime: Sequence[WheelRecord]
) -> dict[str, str]:
    """Digests, by name, of the natives whose programs a wheel runs, or one that it needs does."""
    folder = work.services.settings.recipes_dir
    recipes = [recipe, *(recipe_of(record.inputs, folder) for record in runtime)]
    found = {}
    for name in sorted({name for one in recipes for name in one.runtime_natives}):
        node = native_node(work, ready, name)
        if not node.digest:
            raise lost_native(name, node.id)
        found[name] = node.digest
    return found
