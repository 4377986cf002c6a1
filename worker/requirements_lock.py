"""The lock of a request; a backend that fails without its recipe's packages is asked again with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from wheelyard.build_request import BuildRequest
from wheelyard.errors import BuildFailed
from wheelyard.locks import Lock
from wheelyard.recipes import get_recipe
from worker.context import Work
from worker.mend import name_mend, package_search
from worker.recipe_packages import image_with_packages, lock_packages
from worker.resolve import Resolver
from worker.toolchain_job import ReadyToolchain


def lock_request(
    work: Work, request: BuildRequest, ready: ReadyToolchain, resolver: Resolver, requirements: Sequence[str]
) -> Lock:
    """Lock the requirements of a request.

    Which projects take part is known at the end only, so a recipe's packages come when they are missed.

    :param requirements: those of the request, as far as they are no addresses.
    :raises BuildFailed: a project's metadata hook failed; the error names the recipe line that would mend it.
    :raises InputError: they can't be met, or a recipe can't be read.
    """
    settings, packages = work.services.settings, set[str]()
    while True:
        try:
            return resolver.resolve_requirements(requirements, request.constraints)
        except BuildFailed as error:
            project = canonicalize_name(str(error.facts.get("project", "")))
            if not project:
                raise
            variant = request.variants.get(project, "")
            recipe = get_recipe(project, settings.recipes_dir, variant=variant)
            if set(recipe.packages) <= packages:
                search = package_search(settings, ready.toolchain)
                raise name_mend(error, search, recipe=recipe, version="", job=work.claim.id) from error
            work.log.line(f"{project}: asked again with its recipe's packages, {', '.join(recipe.packages)}")
            packages |= set(recipe.packages)
            image = image_with_packages(work, ready, lock_packages(work, ready, sorted(packages)))
            resolver = replace(resolver, image=image)
