"""The limits of one wheel's build, out of the three places that may ask for some."""

from __future__ import annotations

from wheelyard.build_key import BuildInputs
from wheelyard.limits import NOTHING_ASKED, AskedLimits, Limits
from wheelyard.recipes import recipe_of
from wheelyard.settings import Settings
from wheelyard.toolchains import get_toolchain


def limits_of_build(
    settings: Settings, toolchain: str, inputs: BuildInputs, asked: AskedLimits = NOTHING_ASKED
) -> Limits:
    """Limits of a build of these inputs: the request's win over the recipe's, those over the toolchain's.

    :param toolchain: its name.
    :param asked: the request's.
    :raises InputError: the recipe can't be read, or has no such variant any more.
    :raises NotFound: there is no such toolchain any more.
    """
    own = get_toolchain(toolchain, settings.toolchains_dir).limits
    return Limits.of(settings, own, recipe_of(inputs, settings.recipes_dir).limits, asked)
