"""Git sources: each commit that a request names becomes an sdist, and goes the way of any other one."""

from __future__ import annotations

import io
import json
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest
from wheelyard.distributions.refusal import SizeLimits
from wheelyard.distributions.sdist_file import check_sdist_file
from wheelyard.errors import BuildFailed, ForeignOutputRefused, InputError
from wheelyard.git_address import GitAddress, check_git_hosts, git_address
from wheelyard.limits import Limits
from wheelyard.locks import IndexFile, Lock, Pin
from wheelyard.recipes import Recipe, get_recipe
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.listing import ListedFile
from worker.build_container import (
    Allotment,
    build_environment,
    container_spec,
    fetch,
    lay_scripts,
    run_phase,
)
from worker.context import Work
from worker.git_commit import Bounds, PackedCommit, fetch_commit
from worker.kept_locks import keep_lock, load_lock
from worker.own_names import open_upstream
from worker.recipe_packages import image_with_packages, lock_packages
from worker.resolve import Resolver
from worker.toolchain_job import ReadyToolchain

_SCRIPT = "/in/inside/make_sdist.py"


def source_sdists(
    work: Work, ready: ReadyToolchain, request: BuildRequest
) -> tuple[tuple[str, ...], tuple[ListedFile, ...]]:
    """Make sdists of a request's git sources; gives its requirements with versions instead, and the sdists.

    The sdists are in the store, and `open_upstream` shows them as all that there is of their projects. The
    first sdist of a commit holds under one toolchain, so that build keys hold, too.

    :raises InputError: a host is not allowed, or there is no such commit, or it is another project's.
    :raises BuildFailed: the project's backend makes no sdist of it.
    """
    sources = [(text, Requirement(text)) for text in request.requirements]
    if not any(requirement.url for _, requirement in sources):
        return request.requirements, ()
    check_git_hosts(request.requirements, work.services.settings.git_host_patterns)
    rewritten: list[str] = []
    overlay: dict[str, tuple[GitAddress, ListedFile]] = {}
    upstream = open_upstream(work.services, request.channel)
    with work.phase("git sources"):
        for text, requirement in sources:
            address = git_address(requirement)
            if address is None:
                rewritten.append(text)
                continue
            name = canonicalize_name(requirement.name)
            taken = overlay.get(name)
            if taken is not None and taken[0] != address:
                raise InputError(
                    f"{name} is asked for from two commits",
                    expected="one source of each project",
                    found=f"{taken[0].text} and {address.text}",
                )
            if taken is None:
                recipe = get_recipe(
                    name, work.services.settings.recipes_dir, variant=request.variants.get(name, "")
                )
                file = _GitSdist(work, ready, upstream, name, address, recipe).file()
                overlay[name] = (address, file)
            requirement.url, requirement.specifier = None, SpecifierSet(f"=={overlay[name][1].version}")
            rewritten.append(str(requirement))
    return tuple(sorted(rewritten)), tuple(file for _, file in overlay.values())


class _GitSdist:
    """The sdist of one commit under one toolchain.

    :param upstream: that its build environment is locked against.
    :param project: canonical name that the request calls it by.
    :param recipe: in the variant that the request names. Its backend runs with the recipe's packages, as it
        does when the wheel is built.
    """

    def __init__(
        self, work: Work, ready: ReadyToolchain, upstream: Upstream, project: str, address: GitAddress,
        recipe: Recipe,
    ) -> None:  # fmt: skip
        self._work = work
        self._services = work.services
        self._ready = ready
        self._upstream = upstream
        self._project = project
        self._address = address
        self._recipe = recipe
        self._folder = work.scratch / "git" / project

    def file(self) -> ListedFile:
        """The sdist as an index would list it, in the store."""
        recipe = self._recipe
        packages = lock_packages(self._work, self._ready, recipe.packages)
        said = {
            "environment": dict(recipe.environment),
            "config_settings": dict(recipe.config_settings),
            "build_requires": list(recipe.build_requires),
            "replaced_build_requires": recipe.replaced_build_requires,
            # Keys from before there were any stay what they are.
            **({"packages": packages} if packages else {}),
        }
        key = self._address.key(image=self._ready.record.image, recipe=said)
        pin = self._known(key)
        if pin is None:
            pin = self._make(image_with_packages(self._work, self._ready, packages))
            lock = Lock(pins=(pin,), text=f"{pin.project}=={pin.version} --hash={pin.files[0].digest}\n")
            self._services.catalogue.set_build_lock(key, keep_lock(self._services, lock))
        self._refuse_another(pin)
        file = pin.files[0]
        self._work.log.line(f"{self._address.text} is {file.filename}, {file.digest}")
        return ListedFile(
            filename=file.filename, url="", digest=file.digest, kind="sdist", version=Version(pin.version)
        )

    def _known(self, key: str) -> Pin | None:
        """The sdist that was made of it before, where it is there."""
        digest = self._services.catalogue.build_lock(key)
        lock = None if digest is None else load_lock(self._services, digest)
        if lock is None or self._services.store.renew_blob(lock.pins[0].files[0].digest) is None:
            return None
        return lock.pins[0]

    def _make(self, image: str) -> Pin:
        settings = self._services.settings
        self._folder.mkdir(parents=True)
        self._work.log.line(f"fetching {self._address.text}")
        bounds = Bounds(
            bytes=settings.max_upload_bytes, seconds=settings.resolve_timeout, check=self._work.check
        )
        commit = fetch_commit(self._address, self._folder, bounds)
        if commit.submodules:
            paths = ", ".join(commit.submodules[:10])
            self._work.log.line(f"WARNING: the commit has submodules, which are not fetched: {paths}")
        try:
            path = self._run_backend(commit, image)
        except BuildFailed as error:
            raise self._explained(error, commit) from error
        checked = check_sdist_file(path, SizeLimits.of(settings.max_upload_bytes))
        digest = Digest.of_file(path)
        self._services.store.put_blob(path, digest)
        file = IndexFile(filename=path.name, digest=digest)
        return Pin(project=checked.project, version=checked.version, files=(file,))

    def _run_backend(self, commit: PackedCommit, image: str) -> Path:
        """Lay the commit and its locked build wheels into a container; gives the sdist that it leaves."""
        work, services, recipe = self._work, self._services, self._recipe
        resolver = Resolver(
            engine=services.engine, image=self._ready.image, toolchain=self._ready.toolchain,
            hooks_image=image, upstream=self._upstream, store=services.store, settings=services.settings,
            job=work.claim.id, owner=services.owner, scratch=work.scratch, report=work.log.line,
            watch=work.watch,
        )  # fmt: skip
        lock = resolver.resolve_build(
            commit.archive, f"{self._project.replace('-', '_')}-0.tar.gz",
            config_settings=recipe.config_settings, environment=recipe.environment,
            more=recipe.build_requires, replaced=recipe.replaced_build_requires,
        )  # fmt: skip
        inputs = self._folder / "in"
        lay_scripts(inputs)
        commit.archive.rename(inputs / "source.tar.gz")
        (inputs / "wheels").mkdir()
        for pin in lock.pins:
            for file in pin.wheels:
                fetch_file(pin.project, file, services.store, self._upstream, scratch=work.scratch)
                fetch(work, file.digest, inputs / "wheels" / file.filename)
        document = {
            "python": self._ready.toolchain.python.executable,
            "config_settings": dict(recipe.config_settings),
            "committed_at": commit.committed_at,
        }
        (inputs / "job.json").write_text(json.dumps(document))
        limits = Limits.of(services.settings, self._ready.toolchain.limits, recipe.limits)
        # A place for plans has no share of cores and memory to give; this one is as small as a resolver's.
        spec = container_spec(work, image, inputs, Allotment(limits=limits, cpus=0, jobs=1))
        with services.engine.start(spec) as container, work.watching(container):
            environment = build_environment(recipe.environment, 1)
            seconds = services.settings.resolve_timeout
            run_phase(work, container, "sdist", environment, seconds, limits, script=_SCRIPT)
            made = io.BytesIO()
            container.read_file("/build/made.json", made, 1000)
            path = self._folder / _sdist_name(made.getvalue())
            with path.open("wb") as target:
                container.read_file(f"/build/out/{path.name}", target, services.settings.max_upload_bytes)
        return path

    def _refuse_another(self, pin: Pin) -> None:
        if pin.project != self._project:
            raise InputError(
                f"{self._address.text} is another project",
                expected=self._project,
                found=f"{pin.project} {pin.version}",
                do=f"ask for {pin.project} @ {self._address.text}",
            )

    def _explained(self, error: BuildFailed, commit: PackedCommit) -> BuildFailed:
        do = error.do
        if commit.submodules:
            do = f"its submodules are not fetched ({', '.join(commit.submodules[:5])}): upload an sdist; {do}"
        return type(error)(
            f"{self._address.text} could not be made an sdist: {error.failed}",
            expected=error.expected, found=error.found, do=do, **error.facts,
        )  # fmt: skip


def _sdist_name(made: bytes) -> str:
    try:
        name = str(json.loads(made)["sdist"])
        return IndexFile(filename=name, digest=Digest.of(b"")).filename
    except (ValueError, TypeError, KeyError, InputError) as error:
        raise ForeignOutputRefused(
            "the container names its sdist badly", expected="NAME-VERSION.tar.gz", found=repr(made[:200])
        ) from error
